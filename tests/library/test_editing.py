"Editing with a latent diffusion model: painting over, varying, blending."

import math

import pytest
import torch
from library_fixtures import latents, pixels
from torch.nn import functional as F
from torch.testing import assert_close

from mmgen.core import data_path
from mmgen.editing import inpaint, slerp, vary, whole_places, with_known
from mmgen.latent import LatentDiffusion, denoiser
from mmgen.samplers import finish, sample


@pytest.mark.parametrize("space", ["pixels", "latents"])
def test_what_is_kept_is_kept_to_the_last_bit(vqvae, few, space):
    model = pixels() if space == "pixels" else latents(vqvae).measure(few[0]).eval()
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., 5:17, 3:20] = True
    out = inpaint(model, few[0][:4], few[1][:4], mask, n_steps=4)
    assert torch.equal(out[mask.expand_as(out)], few[0][:4][mask.expand_as(out)]) and out.shape == (
        4,
        1,
        28,
        28,
    )
    assert (out - few[0][:4])[~mask.expand_as(out)].abs().max() > 0.01


def test_everything_kept_in_latents_is_the_reconstruction_inside(vqvae, few):
    model = latents(vqvae).measure(few[0]).eval()
    x, y = few[0][:4], few[1][:4]
    z, all_ = model.encode(x), torch.ones(4, 1, 7, 7, dtype=torch.bool)
    states = sample(with_known(denoiser(model, y), z, all_), model.path, torch.randn_like(z), 6)
    assert_close(finish(states), z, atol=1e-5, rtol=0)


def test_the_known_part_runs_on_its_straight_path():
    model = pixels()
    known, noise = torch.full((2, 1, 28, 28), 0.5), torch.randn(2, 1, 28, 28)
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    mask[..., :9] = True
    for state in sample(
        with_known(denoiser(model, torch.tensor([1, 2])), known, mask),
        model.path,
        noise,
        5,
        solver="ddim",
    ):
        expected = (1 - state.t) * known + state.t * noise
        assert_close(state.x_t[..., :9], expected[..., :9], atol=1e-5, rtol=0)


def test_a_place_is_kept_only_if_all_its_pixels_are(vqvae, few):
    model = latents(vqvae).measure(few[0]).eval()
    mask = torch.ones(1, 1, 28, 28, dtype=torch.bool)
    mask[..., 10, 10] = False  # one pixel of place (2, 2)
    drawn = inpaint(model, few[0][:2], few[1][:2], mask, n_steps=3)
    hole = (F.max_pool2d((~mask).float(), 4) > 0)[0, 0]  # the mask of places, made another way
    z, generator = model.encode(few[0][:2]), torch.Generator().manual_seed(0)
    states = sample(
        with_known(denoiser(model, few[1][:2], 2.0), z, ~hole),
        model.path,
        torch.randn(z.shape, generator=generator),
        3,
    )
    expected = model.decode(finish(states))
    assert hole.sum() == 1 and torch.equal(drawn[..., 10, 10], expected[..., 10, 10])


def test_bad_masks_are_refused(few):
    model, (x, y) = pixels(), (few[0][:2], few[1][:2])
    with pytest.raises(TypeError, match="mask is torch.float32; expected torch.bool"):
        inpaint(model, x, y, torch.ones(1, 1, 28, 28))
    with pytest.raises(ValueError, match="mask has shape .*expected .*28"):
        inpaint(model, x, y, torch.ones(1, 1, 7, 7, dtype=torch.bool))


def test_vary_keeps_more_the_earlier_it_starts(few):
    model = LatentDiffusion.from_pretrained(data_path("weights", "dit_pixels")).eval()
    x, y = few[0][:16], few[1][:16]
    away = [(vary(model, x, y, t) - x).square().mean().item() for t in (0.2, 0.5, 0.9)]
    assert away[0] < away[1] < away[2]
    for t in (0, -0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"expected a finite number in \(0, 1\]"):
            vary(model, x, y, t)


def test_slerp_keeps_the_norm_and_meets_its_ends():
    a, b = torch.randn(2, 3, 20, 20).double()
    a, b = a / a.norm(), b / b.norm()
    for share in (0.0, 0.2, 0.5, 0.9, 1.0):
        assert_close(slerp(a, b, share).norm(), torch.tensor(1.0).double())
    assert_close(slerp(a, b, 0.0), a)
    assert_close(slerp(a, b, 1.0), b)
    assert_close(slerp(a, a, 0.3), a)

    def angle(u, v):
        return (u * v).sum().clamp(-1, 1).acos()

    assert_close(angle(a, slerp(a, b, 0.25)), 0.25 * angle(a, b))


def test_a_place_with_one_unknown_pixel_is_unknown():
    mask = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    mask[1, 0, 5, 2] = False
    kept = whole_places(mask, 4)
    assert kept.dtype == torch.bool and kept[0].all()
    assert kept[1, 0].tolist() == [[True, True], [False, True]]


def test_labels_may_be_a_list(few):
    model, x = pixels(), few[0][:2]
    mask = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    y = torch.tensor([3, 4])
    assert torch.equal(
        inpaint(model, x, [3, 4], mask, n_steps=2), inpaint(model, x, y, mask, n_steps=2)
    )
    assert torch.equal(vary(model, x, [3, 4], n_steps=2), vary(model, x, y, n_steps=2))


def test_painting_starts_with_the_noise_of_its_first_time(few):
    model, sizes = pixels(), []
    model.dit.register_forward_pre_hook(lambda net, inputs: sizes.append(inputs[0].std().item()))
    nothing = torch.zeros(1, 1, 28, 28, dtype=torch.bool)
    for times in ([0.5, 0.2, 0.0], torch.tensor([1.0, 0.4, 0.0])):
        sizes.clear()
        inpaint(model, few[0][:4], few[1][:4], nothing, times=times)
        assert abs(sizes[0] - times[0]) < 0.03, times
