"""The quantizers: equal to independent routes, deaf to padding and NaN, whole after saving, one
codebook on two processes.
"""

import copy
import math
import shutil
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from library_fixtures import INDUCTOR
from torch import nn
from torch.nn import functional as F
from torch.testing import assert_close

import mmgen.quantizer as Q
from mmgen.codebooks import FSQ, LFQ, ResidualQuantizer, SimVQ, rotate_to, unit
from mmgen.quantizer import (
    EMAVectorQuantizer,
    VectorQuantizer,
    codebook_report,
    kmeans,
    laplace,
    nearest_code,
    straight_through,
)

KINDS = {
    "vq": lambda: VectorQuantizer(16, 6),
    "vq-uniform": lambda: VectorQuantizer(16, 6, start=None),
    "vq-cosine-rotation": lambda: VectorQuantizer(16, 6, norm=unit, estimator=rotate_to),
    "ema": lambda: EMAVectorQuantizer(16, 6),
    "ema-cosine": lambda: EMAVectorQuantizer(16, 6, norm=unit),
    "simvq": lambda: SimVQ(16, 6),
    "fsq": lambda: FSQ((8, 5, 4, 2, 3, 7)),
    "lfq": lambda: LFQ(6),
    "residual": lambda: ResidualQuantizer(lambda: EMAVectorQuantizer(8, 6), 3, dropout=0.5),
}
each = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def trained(kind, steps=3):
    "A quantizer of this kind after a few batches, in eval mode."
    q = KINDS[kind]().train()
    for _ in range(steps):
        q(torch.randn(64, 6) + 1)
    return q.eval()


# The search


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(1, 40),
    k=st.integers(1, 40),
    d=st.integers(1, 9),
    chunk=st.one_of(st.none(), st.integers(1, 50)),
    shift=st.sampled_from([0.0, 5.0, 300.0]),
)
def test_nearest_code_is_the_nearest(n, k, d, chunk, shift):
    z, codebook = torch.randn(n, d) + shift, torch.randn(k, d) + shift
    far = torch.cdist(z.double(), codebook.double()).square()
    got = far.gather(1, nearest_code(z, codebook, chunk)[:, None])[:, 0]
    assert_close(got, far.min(1).values, atol=1e-3 * (1 + shift / 50), rtol=1e-4)


def test_nearest_code_takes_the_first_of_equals_and_any_shape():
    codebook = torch.tensor([[1.0, 0], [1.0, 0], [0.0, 1]])
    assert nearest_code(torch.tensor([[2.0, 0]]), codebook).tolist() == [0]
    z = torch.randn(2, 3, 4, 5)
    assert nearest_code(z.movedim(1, -1), torch.randn(7, 3)).shape == (2, 4, 5)
    assert nearest_code(z.half(), torch.randn(7, 5).half()).dtype == torch.int64


def test_nearest_code_needs_no_n_by_k_memory():
    resource = pytest.importorskip("resource", reason="Windows has no such count of memory")
    z, codebook = torch.randn(60_000, 4), torch.randn(8192, 4)
    nearest_code(z[:2000], codebook)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    nearest_code(z, codebook)  # all distances at once would be 1.97 GB
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * (
        1 if sys.platform == "darwin" else 1024
    )
    assert grown < 400e6, f"{grown / 1e6:.0f} MB"


def test_nearest_code_stays_float32_under_autocast():
    z, codebook = torch.randn(500, 16), torch.randn(64, 16)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(nearest_code(z, codebook), nearest_code(z.float(), codebook))


# Gradients


def test_straight_through_is_exact():
    z, q, g = (
        torch.randn(50, 3, requires_grad=True),
        torch.randn(50, 3, requires_grad=True),
        torch.randn(50, 3),
    )
    out = straight_through(z, q)
    out.backward(g)
    assert torch.equal(out, q) and torch.equal(z.grad, g) and q.grad is None


def test_rotate_to_is_the_rotation_of_the_paper():
    z, q, g = (torch.randn(20, 5, dtype=torch.float64) for _ in range(3))
    z.requires_grad_()
    out = rotate_to(z, q)
    out.backward(g)
    for zi, qi, gi, got in zip(z.detach(), q, g, z.grad):
        e, h = zi / zi.norm(), qi / qi.norm()
        r = (e + h) / (e + h).norm()
        turn = torch.eye(5, dtype=torch.float64) - 2 * torch.outer(r, r) + 2 * torch.outer(h, e)
        assert_close(turn @ turn.T, torch.eye(5, dtype=torch.float64))
        assert_close(turn @ e, h)
        assert_close(got, qi.norm() / zi.norm() * turn.T @ gi)
    assert torch.equal(out, q)


@pytest.mark.parametrize(
    "z,q",
    [
        ([0.0, 0], [1.0, 2]),
        ([1.0, 2], [0.0, 0]),
        ([1.0, 2], [-1.0, -2]),
        ([1.0, 2], [2.0, 4]),
        ([0.0, 0], [0.0, 0]),
        ([1e-30, 0], [1.0, 0]),
    ],
)
def test_rotate_to_is_safe_at_its_edges(z, q):
    z, q = torch.tensor([z], requires_grad=True), torch.tensor([q])
    out = rotate_to(z, q)
    out.sum().backward()
    assert torch.equal(out, q) and z.grad.isfinite().all() and z.grad.abs().sum() > 0


def test_each_loss_reaches_one_side():
    q = VectorQuantizer(9, 4, start=None).train()
    z = torch.randn(30, 4, requires_grad=True)
    losses = q(z).losses
    e = q.codebook[nearest_code(z, q.codebook)]
    to_z, to_book = torch.autograd.grad(
        losses["commit"], (z, q.codebook), retain_graph=True, allow_unused=True
    )
    assert to_book is None
    assert_close(to_z, 0.25 * 2 * (z - e).detach() / z.numel())
    to_z, to_book = torch.autograd.grad(losses["codebook"], (z, q.codebook), allow_unused=True)
    assert to_z is None and to_book.abs().sum() > 0
    assert_close(losses["codebook"], F.mse_loss(e, z))
    assert_close(losses["commit"], 0.25 * losses["codebook"])


@each
def test_every_kind_trains_the_encoder(kind):
    q, z = KINDS[kind]().train(), torch.randn(8, 5, 6, requires_grad=True)
    out = q(z)
    (out.z_q * torch.randn(8, 5, 6)).sum().add(sum(out.losses.values())).backward()
    assert z.grad.isfinite().all() and (z.grad.abs().sum(-1) > 0).all()
    assert all(v.ndim == 0 and v.isfinite() for v in out.losses.values()) and set(out.stats) == {
        "usage",
        "perplexity",
    }


# One form


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.float64])
def test_round_trip_dtype_and_layout(kind, dtype):
    q = trained(kind)
    z = (torch.randn(2, 6, 3, 4) + 1).to(dtype).movedim(1, -1)  # not contiguous
    out = q(z)
    assert out.z_q.dtype == dtype and out.z_q.shape == z.shape and out.indices.dtype == torch.int64
    assert_close(q.decode(out.indices).to(dtype), out.z_q)
    assert (
        out.indices.shape[:3] == (2, 3, 4)
        and 0 <= out.indices.min()
        and out.indices.max() < q.n_codes
    )
    again = q(q.decode(out.indices)) if kind not in ("residual", "fsq") else out
    assert torch.equal(again.indices, out.indices)  # a code is its own nearest code
    assert torch.equal(q(z).indices, out.indices)


@each
def test_all_codes_round_trip(kind):
    q = trained(kind)
    if kind == "residual":
        q = q.stages[0]
    codes = q.decode(torch.arange(q.n_codes))
    assert codes.shape == (q.n_codes, 6) and q.bits == math.log2(q.n_codes)
    if kind in ("fsq", "lfq"):
        assert len(codes.unique(dim=0)) == q.n_codes


@each
def test_one_vector_and_one_row(kind):
    q = KINDS[kind]().train()
    assert q(torch.randn(1, 6)).z_q.shape == (1, 6) and q(torch.randn(2, 1, 6)).z_q.shape == (
        2,
        1,
        6,
    )


@each
def test_eval_changes_nothing(kind):
    q = trained(kind)
    z = torch.randn(50, 6) * 9
    before, state = copy.deepcopy(q.state_dict()), torch.get_rng_state()
    q(z)
    assert_close(q.state_dict(), before, atol=0, rtol=0)
    assert torch.equal(state, torch.get_rng_state())


@each
@pytest.mark.parametrize(
    "bad,error,words",
    [
        (
            torch.randn(4, 6, 5),
            ValueError,
            r"z has shape \(4, 6, 5\); expected \(\.\.\., 6\), channels last",
        ),
        (torch.randn(6), ValueError, r"z has shape \(6,\)"),
        (
            torch.zeros(4, 6, dtype=torch.uint8),
            TypeError,
            "z is torch.uint8; expected a float tensor",
        ),
        ([[1.0] * 6], TypeError, "z is list"),
        (torch.zeros(0, 6), ValueError, "there is no vector to quantize"),
        (
            torch.tensor([[1.0, 2, 3, 4, 5, math.nan]]),
            ValueError,
            "z holds NaN or infinity in 1 of 1 vectors",
        ),
        (torch.full((2, 6), math.inf), ValueError, "z holds NaN or infinity in 2 of 2 vectors"),
    ],
)
def test_bad_vectors_are_named_and_leave_no_trace(kind, bad, error, words):
    q = trained(kind).train()
    before = copy.deepcopy(q.state_dict())
    with pytest.raises(error, match=words):
        q(bad)
    assert_close(q.state_dict(), before, atol=0, rtol=0)


@each
def test_bad_masks_and_indices_are_named(kind):
    q = trained(kind)
    z = torch.randn(3, 5, 6)
    for mask in (torch.ones(3, 5), torch.ones(3, dtype=torch.bool)):
        with pytest.raises(ValueError, match="mask is .*; expected torch.bool"):
            q(z, mask)
    for index in (q.n_codes, -2):
        with pytest.raises(IndexError, match=f"expected 0 to {q.n_codes - 1}, or -1"):
            q.decode(torch.tensor([[0, index]]))
    with pytest.raises(TypeError, match="indices is torch.float32"):
        q.decode(torch.zeros(1, 1))
    assert (q.decode(torch.full((2, 1), -1)) == 0).all()


@pytest.mark.parametrize(
    "make,words",
    [
        (lambda: VectorQuantizer(0, 4), "n_codes=0"),
        (lambda: VectorQuantizer(4, 2.5), "dim=2.5"),
        (lambda: FSQ((8, 1)), "levels=1; expected a whole number of at least 2"),
        (lambda: LFQ(0), "dim=0"),
        (lambda: ResidualQuantizer(lambda: LFQ(2), 0), "n_stages=0"),
        (lambda: EMAVectorQuantizer(4, 4, decay=1.1), r"decay=1.1; expected .* in \[0, 1\]"),
        (lambda: nearest_code(torch.zeros(2, 3), torch.zeros(2, 4)), "z has width 3, codebook 4"),
    ],
)
def test_bad_settings_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_residual_refuses_too_many_stages():
    q, indices = trained("residual"), torch.zeros(2, 5, dtype=torch.long)
    with pytest.raises(ValueError, match="5 stages on its last axis; expected at most 3"):
        q.decode(indices)


# Masks and NaN


@each
@pytest.mark.parametrize("filler", [0.0, 1e6, math.nan])
def test_padding_does_not_vote(kind, filler):
    real, mask = torch.randn(4, 5, 6) + 1, (torch.arange(8) < 5).expand(4, 8)
    padded = torch.cat([real, torch.full((4, 3, 6), filler)], 1).requires_grad_()
    a, b = KINDS[kind](), None
    b = copy.deepcopy(a)
    for step in range(2):
        torch.manual_seed(step)
        out_a = a.train()(real)
        torch.manual_seed(step)
        out_b = b.train()(padded, mask)
    assert torch.equal(out_a.indices, out_b.indices[:, :5]) and (out_b.indices[:, 5:] == -1).all()
    assert_close(out_a.z_q, out_b.z_q[:, :5])
    assert (out_b.z_q[:, 5:] == 0).all()
    assert_close(out_a.losses, out_b.losses)
    assert_close(out_a.stats, out_b.stats)
    assert_close(a.state_dict(), b.state_dict())
    out_b.z_q.sum().add(sum(out_b.losses.values())).backward()
    assert (padded.grad[:, 5:] == 0).all() and padded.grad.isfinite().all()


@each
def test_a_fully_masked_batch_changes_nothing(kind):
    q = trained(kind).train()
    before = copy.deepcopy(q.state_dict())
    out = q(torch.randn(3, 4, 6), torch.zeros(3, 4, dtype=torch.bool))
    assert_close(q.state_dict(), before, atol=1e-6, rtol=1e-6)
    assert (out.indices == -1).all() and (out.z_q == 0).all() and out.stats["usage"] == 0
    assert all(v.isfinite() for v in out.losses.values())


@each
def test_where_nothing_may_be_asked_nan_stays_nan_and_poisons_no_code(kind, monkeypatch):
    monkeypatch.setattr(Q, "free_to_look", lambda x: False)  # as on a GPU, or compiled
    q = trained(kind).train()
    z = torch.randn(12, 6)
    z[3, 2] = math.nan
    z[7, 0] = math.inf
    out = q(z)
    bad = torch.tensor([3, 7])
    assert (out.indices[bad] == -1).all() and out.z_q[bad].isnan().any(1).all()
    assert all(t.isfinite().all() for t in q.state_dict().values()) and all(
        v.isfinite() for v in (out.losses | out.stats).values()
    )


@each
def test_no_step_asks_the_device(kind, monkeypatch):
    from torch._subclasses.fake_tensor import FakeTensorMode

    monkeypatch.setattr(Q, "free_to_look", lambda x: False)  # it asks on a CPU only
    with FakeTensorMode():  # tensors without values: .item(), bool() and nonzero() raise
        q = KINDS[kind]().train()
        z = torch.randn(20, 6, requires_grad=True)
        for _ in range(2):
            out = q(z, torch.ones(20, dtype=torch.bool))
        (out.z_q.sum() + sum(out.losses.values())).backward()
        with pytest.raises(Exception, match="aten._local_scalar_dense"):
            out.stats["usage"].item()


# Tensors without numbers: meta, fake, exported


@each
@pytest.mark.parametrize("mode", [True, False])
def test_on_the_meta_device_shapes_come_out(kind, mode):
    with torch.device("meta"):
        q, z = KINDS[kind]().train(mode), torch.empty(3, 5, 6)
    out, here = q(z), KINDS[kind]().train(mode)(torch.randn(3, 5, 6))
    for a, b in (
        (out.z_q, here.z_q),
        (out.indices, here.indices),
        (q.decode(out.indices), here.z_q),
    ):
        assert a.device.type == "meta" and a.shape == b.shape and a.dtype == b.dtype
    real, moved = trained(kind), trained(kind).to("meta")
    assert moved.train(mode)(z).indices.shape == out.indices.shape
    assert torch.equal(
        load_to(moved, real).eval()(torch.ones(2, 6)).indices, real(torch.ones(2, 6)).indices
    )


def load_to(meta, real):
    "Real weights put into a module that was built without any; what is not saved is made anew."
    for name, buffer in real.named_buffers():
        if name not in real.state_dict():
            owner, _, last = name.rpartition(".")
            setattr(meta.get_submodule(owner), last, buffer)
    meta.load_state_dict(real.state_dict(), assign=True)
    return meta


@each
def test_fake_tensors_pass_without_a_question(kind):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        q = KINDS[kind]().train()
        z = torch.randn(4, 5, 6, requires_grad=True)
        out = q(z, torch.ones(4, 5, dtype=torch.bool))
        (out.z_q.sum() + sum(out.losses.values())).backward()
        assert q.decode(out.indices).shape == z.shape == z.grad.shape


class Codes(nn.Module):
    "What is exported: vectors to codes and indices."

    def __init__(self, q):
        super().__init__()
        self.q = q

    def forward(self, z):
        out = self.q(z)
        return out.z_q, out.indices


@pytest.mark.parametrize("kind", ["vq", "ema", "fsq", "lfq", "residual"])
def test_it_is_exported_for_any_batch(kind):
    q = trained(kind)
    n = torch.export.Dim("n", min=2, max=4096)
    exported = torch.export.export(
        Codes(q), (torch.randn(9, 6),), dynamic_shapes=({0: n},)
    ).module()
    for size in (2, 9, 33):
        z = torch.randn(size, 6)
        z_q, indices = exported(z)
        assert torch.equal(indices, q(z).indices)
        assert_close(z_q, q(z).z_q)


def test_no_vector_and_no_code():
    assert (
        nearest_code(torch.empty(0, 4), torch.randn(64, 4)).shape
        == nearest_code(torch.empty(0, 4), torch.randn(7, 4)).shape
        == (0,)
    )
    with pytest.raises(
        ValueError, match=r"codebook has shape \(0, 4\); expected at least one code"
    ):
        nearest_code(torch.randn(3, 4), torch.empty(0, 4))


def test_a_codebook_that_is_not_finite_is_named():
    codebook = torch.randn(7, 4)
    codebook[3, 1] = math.nan
    with pytest.raises(ValueError, match="codebook holds NaN or infinity in 1 of 7 vectors"):
        nearest_code(torch.randn(3, 4), codebook)


# Running means


def test_ema_with_decay_0_is_a_lloyd_step():
    z, codes = torch.randn(400, 5), torch.randn(8, 5)
    q = EMAVectorQuantizer(8, 5, decay=0.0, restart_below=0, eps=0.0).train()
    q.begin(codes, torch.ones(8))
    owner = nearest_code(z, codes)
    q(z)
    for k in range(8):
        assert_close(q.codebook[k], z[owner == k].mean(0))


@pytest.mark.parametrize("norm", [None, unit])
def test_the_invariant_holds_after_restarts(norm):
    q = EMAVectorQuantizer(64, 4, start=None, norm=norm).train()
    for _ in range(30):
        q(torch.randn(100, 4) + 3)
    assert_close(q.codebook, q.sums / q.counts[:, None], atol=1e-3, rtol=1e-3)


def test_restart_revives_and_lasts():
    centres = torch.randn(32, 8) + 3
    z = centres[torch.randint(32, (2000,))] + 0.05 * torch.randn(2000, 8)
    used = {}
    for below in (0, 0.1):
        q = EMAVectorQuantizer(32, 8, start=None, restart_below=below).train()
        for _ in range(200):
            q(z[torch.randint(2000, (256,))])
        used[below] = codebook_report(q.eval()(z).indices, 32)["used"]
    assert used[0] <= 3 and used[0.1] >= 30


def test_kmeans_start_stays_on_its_batch():
    z = torch.randn(500, 4)
    q = EMAVectorQuantizer(10, 4, restart_below=0).train()
    codes, counts = kmeans(z, torch.ones(500, dtype=torch.bool), 10, 200)
    q.begin(codes, counts)
    q(z)
    assert_close(q.codebook, codes, atol=1e-5, rtol=0)


def test_kmeans_with_fewer_vectors_than_codes_and_with_repeats():
    q = EMAVectorQuantizer(64, 3).train()
    for _ in range(5):
        out = q(torch.randn(7, 3))
    assert q.codebook.isfinite().all() and out.z_q.isfinite().all()
    q = EMAVectorQuantizer(16, 3).train()
    for _ in range(5):
        out = q(torch.ones(40, 3))  # all vectors equal
    assert_close(out.z_q, torch.ones(40, 3)) and q.codebook.isfinite().all()


def test_kmeans_lowers_the_error():
    z, real = torch.randn(1000, 2), torch.ones(1000, dtype=torch.bool)

    def error(rounds):
        torch.manual_seed(1)
        codes, counts = kmeans(z, real, 20, rounds)
        return (z - codes[nearest_code(z, codes)]).square().mean()

    assert error(30) < error(3) < error(1)


def test_laplace_keeps_the_total():
    counts = torch.tensor([0.0, 1.0, 7.0])
    out = laplace(counts, 0.1)
    assert_close(out.sum(), counts.sum())
    assert (out > 0).all()


def test_simvq_moves_every_code_and_freezes_its_table():
    q = SimVQ(50, 4).train()
    codes, table = q.codes().detach().clone(), q.codebook.clone()
    sum(q(torch.randn(5, 4)).losses.values()).backward()
    torch.optim.SGD(q.parameters(), 0.1).step()
    assert ((q.codes() - codes).abs().sum(1) > 0).all() and torch.equal(q.codebook, table)
    assert [n for n, _ in q.named_parameters()] == ["turn.weight"]


# Grids


def test_decay_1_freezes_a_codebook():
    z = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    q = EMAVectorQuantizer(16, 4, decay=0.9)
    q(z)  # starts on the data
    q.decay = 1.0
    before = q.codebook.clone()
    for _ in range(5):
        q(z + 3)
    assert torch.equal(q.codebook, before)


def test_one_far_code_leaves_the_others_exact():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(256, 8, generator=generator)
    codebook = torch.randn(64, 8, generator=generator)
    for far in (0, 3, 63):
        moved = codebook.clone()
        moved[far] = 1e6
        exact = torch.cdist(z.double(), moved.double()).argmin(1)
        assert torch.equal(nearest_code(z, moved), exact)


def test_fsq_of_two_levels_parts_the_channel_at_zero():
    z = torch.randn(4096, 4, generator=torch.Generator().manual_seed(0))
    out = FSQ((2, 2, 2, 2))(z)
    report = codebook_report(out.indices, 16)
    assert report["used"] == 16 and report["perplexity"] > 15.9
    assert torch.equal(out.z_q > -0.5, z > 0)


@pytest.mark.parametrize("levels", [(2,), (3,), (4,), (5,), (8,), (9,), (8, 5, 5, 5), (8, 6, 5)])
def test_fsq_is_the_nearest_point_of_its_grid(levels):
    q = FSQ(levels)
    z = torch.randn(3000, len(levels)) * 3
    out = q(z)
    assert q(torch.zeros(1, len(levels))).z_q.abs().max() == 0 and q.n_codes == math.prod(levels)
    assert [len(channel.unique()) for channel in out.z_q.T] == list(levels)
    half = q.levels // 2
    assert torch.equal(
        nearest_code(q.bound(z), q.decode(torch.arange(q.n_codes)) * half), out.indices
    )


def test_fsq_agrees_with_vector_quantize_pytorch():
    peer = pytest.importorskip("vector_quantize_pytorch").FSQ([8, 5, 5, 5])
    z = torch.randn(1, 500, 4) * 2
    codes, indices = peer(z)
    out = FSQ((8, 5, 5, 5))(z)
    assert torch.equal(out.indices, indices.long())
    assert_close(out.z_q, codes)


@pytest.mark.parametrize("dim", [1, 4, 6])
def test_lfq_entropies_are_those_of_all_corners(dim):
    q = LFQ(dim, temperature=0.7)
    z, real = torch.randn(40, dim), torch.rand(40) > 0.3
    soft = (-(torch.cdist(z, q.decode(torch.arange(2**dim))) ** 2) / 0.7).softmax(1)[real]
    assert_close(
        q.entropies(z, real),
        (torch.special.entr(soft).sum(1).mean(), torch.special.entr(soft.mean(0)).sum()),
    )


def test_lfq_groups_and_extreme_inputs():
    assert LFQ(18).group == 9 and LFQ(13).group == 1 and LFQ(12).group == 12
    z = (torch.randn(20, 18) * 1e4).requires_grad_()
    out = LFQ(18)(z)
    sum(out.losses.values()).backward()
    assert z.grad.isfinite().all()


# Stages


def test_every_stage_holds_the_encoder():
    q = ResidualQuantizer(lambda: EMAVectorQuantizer(8, 4), 4).train()
    q(torch.randn(200, 4))
    q.eval()
    z = torch.randn(30, 4, requires_grad=True)
    left = z
    for stage in q.stages:
        out = stage(left)
        grad = torch.autograd.grad(out.losses["commit"], z, retain_graph=True)[0]
        left = left - out.z_q.detach()
        assert_close(grad, 0.25 * 2 * left.detach() / left.numel())
    g = torch.randn(30, 4)
    assert torch.equal(torch.autograd.grad(q(z).z_q, z, g)[0], g)  # once, not once per stage
    each_stage = [0.25 * (z - q.decode(q(z).indices[:, :s])).square().mean() for s in (1, 2, 3, 4)]
    assert_close(q(z).losses["commit"], torch.stack(each_stage).mean())


def test_dropout_keeps_a_prefix_per_sample_and_eval_keeps_all():
    q = ResidualQuantizer(lambda: EMAVectorQuantizer(8, 4), 4, dropout=1.0).train()
    indices = q(torch.randn(200, 3, 4)).indices
    kept = (indices >= 0).sum(-1)
    assert ((indices >= 0) == (torch.arange(4) < kept[..., None])).all() and (
        kept == kept[:, :1]
    ).all()
    assert set(kept.flatten().tolist()) == {1, 2, 3, 4}
    out = q.eval()(torch.randn(9, 3, 4))
    assert (out.indices >= 0).all()
    assert_close(
        q.decode(out.indices[..., :2]),
        q.stages[0].decode(out.indices[..., 0]) + q.stages[1].decode(out.indices[..., 1]),
    )


def test_stages_lower_the_error():
    q = ResidualQuantizer(lambda: EMAVectorQuantizer(16, 4), 4).train()
    z = torch.randn(2000, 4)
    for _ in range(5):
        q(z)
    indices = q.eval()(z).indices
    errors = [(q.decode(indices[:, :s]) - z).square().mean().item() for s in (1, 2, 3, 4)]
    assert errors == sorted(errors, reverse=True) and errors[3] < 0.3 * errors[0]


# Report


def test_report_counts():
    r = codebook_report(torch.tensor([[0, 0, -1], [3, 3, -1]]), 8)
    assert r["used"] == 2 and r["dead"] == 6 and r["usage"] == 0.25
    assert_close([r["perplexity"], r["bits"]], [2.0, 1.0])
    with pytest.raises(IndexError):
        codebook_report(torch.tensor([8]), 8)


# Saving, moving, copying


@each
def test_saved_and_loaded_continue_alike(kind, tmp_path):
    from safetensors.torch import load_model, save_model

    a = trained(kind).train()
    save_model(a, tmp_path / "q.safetensors")
    b = KINDS[kind]().train()
    load_model(b, tmp_path / "q.safetensors")
    z = torch.randn(40, 6)
    torch.manual_seed(7)
    out_a = a(z)
    torch.manual_seed(7)
    out_b = b(z)
    assert torch.equal(out_a.indices, out_b.indices)
    assert_close(a.state_dict(), b.state_dict(), atol=0, rtol=0)


def test_an_unstarted_codebook_is_loaded_as_unstarted():
    a, b = EMAVectorQuantizer(4, 2), EMAVectorQuantizer(4, 2).train()
    b(torch.randn(9, 2))
    assert not b.pending
    b.load_state_dict(a.state_dict())
    assert b.pending


@pytest.mark.parametrize("start", [None, kmeans])
def test_a_given_codebook_is_kept(start):
    codes = torch.randn(8, 3)
    q = EMAVectorQuantizer(8, 3, start=start, restart_below=0).train()
    q.load_state_dict({"codebook": codes}, strict=False)
    assert bool(q.started) and not q.pending and torch.equal(q.sums, codes)
    q(codes)  # each code is the mean of what chose it
    assert_close(q.codebook, codes, atol=1e-4, rtol=1e-4)


def test_a_copy_whose_buffers_were_filled_later_does_not_start_again():
    q = EMAVectorQuantizer(8, 3, restart_below=0)
    average = copy.deepcopy(q).train()  # taken before the start, as an average of weights is
    q.train()(torch.randn(50, 3))
    for ours, theirs in zip(average.buffers(), q.buffers()):
        ours.copy_(theirs)
    average(q.codebook.clone())
    assert not average.pending
    assert_close(average.codebook, q.codebook, atol=1e-3, rtol=1e-3)


@each
def test_half_precision_models_keep_the_codebook(kind):
    q = trained(kind)
    before = copy.deepcopy(q.state_dict())
    model = nn.ModuleDict({"encoder": nn.Linear(6, 6), "quantizer": q}).bfloat16()
    assert model["encoder"].weight.dtype == torch.bfloat16
    assert_close(q.state_dict(), before, atol=0, rtol=0)
    assert q(model["encoder"](torch.randn(3, 6).bfloat16())).z_q.dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(q(torch.ones(3, 6)).indices, q(torch.ones(3, 6)).indices)


@each
def test_a_model_in_double_precision_is_double_throughout(kind):
    q = KINDS[kind]().double().train()
    z = torch.randn(40, 6, dtype=torch.float64, requires_grad=True)
    for _ in range(2):
        out = q(z)
    (out.z_q.sum() + sum(out.losses.values())).backward()
    assert out.z_q.dtype == z.grad.dtype == torch.float64
    numbers = [*q.state_dict().values(), *out.losses.values()]
    assert {v.dtype for v in numbers if v.is_floating_point()} <= {torch.float64}
    assert q.to(torch.float32).float() is q
    assert {v.dtype for v in q.state_dict().values() if v.is_floating_point()} <= {torch.float32}
    assert q.double().half()(torch.randn(9, 6)).z_q.dtype == torch.float32


def test_double_precision_tells_vectors_apart_that_single_cannot():
    codes = torch.tensor([[1.0], [1.0 + 1e-12]], dtype=torch.float64)
    assert nearest_code(codes, codes).tolist() == [0, 1]
    assert nearest_code(codes.float(), codes.float()).tolist() == [0, 0]
    q = EMAVectorQuantizer(2, 1, start=None).double().eval()
    q.begin(codes, torch.ones(2))
    assert torch.equal(q(codes).z_q, codes)


@each
def test_copies_are_independent(kind):
    q = trained(kind)
    twin = copy.deepcopy(q)
    before = copy.deepcopy(twin.state_dict())
    q.train()(torch.randn(30, 6) + 5)
    assert_close(twin.state_dict(), before, atol=0, rtol=0)


# Against the peer


def test_same_codes_gradients_and_update_as_vector_quantize_pytorch():
    peer = (
        pytest.importorskip("vector_quantize_pytorch")
        .VectorQuantize(
            dim=8,
            codebook_size=32,
            decay=0.9,
            rotation_trick=False,
            commitment_weight=0.25,
            threshold_ema_dead_code=0,
        )
        .train()
    )
    ours = EMAVectorQuantizer(32, 8, decay=0.9, start=None, restart_below=0).train()
    codes, z = torch.randn(32, 8), torch.randn(1, 300, 8)
    peer._codebook.embed.data.copy_(codes[None])
    peer._codebook.embed_avg.data.copy_(codes[None])
    peer._codebook.cluster_size.data.fill_(1.0)
    ours.begin(codes, torch.ones(32))
    a, b = z.clone().requires_grad_(), z.clone().requires_grad_()
    z_q, indices, loss = peer(a)
    out = ours(b)
    assert torch.equal(indices, out.indices)
    assert_close(z_q, out.z_q)
    assert_close(loss.squeeze(), out.losses["commit"])
    (z_q.square().sum() + loss.sum()).backward()
    (out.z_q.square().sum() + out.losses["commit"]).backward()
    assert_close(a.grad, b.grad)
    assert_close(peer._codebook.embed[0], ours.codebook, atol=1e-4, rtol=1e-4)


# Compiled, and in company


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("gcc") is None and shutil.which("clang") is None,
    reason="torch.compile needs a C compiler",
)
@pytest.mark.parametrize("kind", ["vq-uniform", "ema", "simvq", "fsq", "lfq"])
def test_compiles_into_one_graph(kind):
    torch._dynamo.reset()
    q = trained(kind, steps=1).train()
    twin = copy.deepcopy(q)
    compiled = torch.compile(
        q, fullgraph=True, backend=INDUCTOR if kind in ("vq-uniform", "ema") else "aot_eager"
    )
    for step in range(2):
        z, y = (torch.randn(64, 6).requires_grad_() for _ in range(2))
        y.data.copy_(z.data)
        torch.manual_seed(step)
        a = compiled(z)
        torch.manual_seed(step)
        b = twin(y)
        assert torch.equal(a.indices, b.indices)
        assert_close(a.z_q, b.z_q)
        assert_close(a.losses, b.losses)
        (a.z_q.square().sum() + sum(a.losses.values())).backward()
        (b.z_q.square().sum() + sum(b.losses.values())).backward()
        assert_close(z.grad, y.grad)


def one_of_two(rank, folder):
    """A process of two: half of each batch; saves the codebooks of a given start and of a k-means
    start with restarts.
    """
    import torch.distributed as dist

    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    torch.manual_seed(100 + rank)  # the processes' own random numbers differ
    given_start = EMAVectorQuantizer(16, 3, start=None, restart_below=0).train()
    own_start = EMAVectorQuantizer(16, 3, restart_below=0.3).train()
    given_start.begin(torch.load(f"{folder}/codes.pt", weights_only=True), torch.ones(16))
    for batch in torch.load(f"{folder}/batches.pt", weights_only=True):
        given_start(batch[rank::2])
        own_start(batch[rank::2])
    torch.save((given_start.state_dict(), own_start.state_dict()), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.skipif(sys.platform == "win32", reason="gloo over a file needs a POSIX path here")
def test_two_processes_keep_one_codebook(tmp_path):
    batches, codes = torch.randn(4, 200, 3) + 1, torch.randn(16, 3)
    torch.save(batches, tmp_path / "batches.pt")
    torch.save(codes, tmp_path / "codes.pt")
    torch.multiprocessing.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    (a, c), (b, d) = (torch.load(tmp_path / f"{r}.pt", weights_only=True) for r in (0, 1))
    assert_close(a, b, atol=0, rtol=0)
    assert_close(c, d, atol=0, rtol=0)
    q = EMAVectorQuantizer(16, 3, start=None, restart_below=0).train()
    q.begin(codes, torch.ones(16))
    for batch in batches:
        q(batch)  # one process with the whole batch
    assert_close(a["codebook"], q.codebook, atol=1e-5, rtol=1e-5)
    assert_close(a["counts"], q.counts)
