"Exercises of the VQ-GAN notebook."

import builtins
import copy
import inspect
import math
import types

import torch
from torch import nn
from torch.nn import functional as F

from .engine import Crashed, Exercise, wrong


class DiscriminatorLoss(Exercise):
    "What the discriminator is shown"

    id, kind = "vqgan.critic_loss", "bug"
    difficulty, importance, minutes = 2, 5, 7
    covers = (
        "S1-B2.5",
        "S1-B2.6",
        "S1-B2.10",
        "S1-B2.15",
        "S1-B2.16",
        "S4-B2.3",
        "S4-B6.4",
        "S4-F5",
    )
    task = (
        "`discriminator(images)` gives a map of logits for each image. Return the "
        "discriminator's loss: the mean of softplus(-logit) over the real "
        "`x` plus the mean of softplus(logit) over the reconstructions `x_hat`. One call shows "
        "images of one kind, and nothing of the "
        "loss reaches the network that made `x_hat`. This version runs, and its loss falls; "
        "find the four faults."
    )
    starter = """
def discriminator_loss(x, x_hat, discriminator):  # (b, 1, h, w) twice -> scalar
    pair = torch.cat([x, x_hat])
    real = discriminator(pair)[: len(x)]
    fake = discriminator(torch.zeros_like(x_hat))
    return F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()
"""
    bug = "called once for each kind of image"
    hints = (
        "Count the calls of the discriminator, and write down what each of them sees.",
        "Two calls: one on x, one on x_hat. The losses are functions of their results; nothing "
        "goes in twice. "
        "And who else would learn from this loss?",
        "F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_hat.detach())).mean()",
    )

    def reference(x, x_hat, discriminator):
        return (
            F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_hat.detach())).mean()
        )

    def another(x, x_hat, discriminator):
        with torch.no_grad():
            shown = x_hat.clone()
        parts = [(discriminator(shown), 0.0), (discriminator(x), 1.0)]
        return sum(
            F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
            for logits, label in parts
        )

    def check(t, discriminator_loss):
        torch.manual_seed(5)
        discriminator = nn.Sequential(
            nn.Conv2d(1, 4, 3, padding=1),
            nn.BatchNorm2d(4),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4, 1, 3, padding=1),
        )
        twin, seen = copy.deepcopy(discriminator), []
        discriminator.register_forward_pre_hook(
            lambda m, args: seen.append(args[0].detach().clone())
        )
        scale, x = torch.tensor(1.5, requires_grad=True), t.randn(3, 1, 6, 6)
        x_hat = scale * t.rand(3, 1, 6, 6)
        loss = t.call(discriminator_loss, x, x_hat, discriminator)
        t.equal(
            "the discriminator is called once for each kind of image",
            len(seen),
            2,
            given="3 real images, 3 reconstructions",
            because="its logits are no images, so they do not go in again; real and made ones "
            "share no call, where batch "
            "statistics would give them away",
        )
        kinds = sorted(
            "real" if torch.equal(s, x) else "made" if torch.equal(s, x_hat.detach()) else "neither"
            for s in seen
        )
        t.equal(
            "one call sees the real images, the other the reconstructions",
            kinds,
            ["made", "real"],
            because=(
                "zeros and pairs are not what the network makes: D judges one image at a "
                "time, x or x_hat"
            ),
        )
        t.true(
            "the loss is one number with a gradient for the discriminator",
            isinstance(loss, torch.Tensor) and loss.numel() == 1 and loss.requires_grad,
            loss,
            "a scalar tensor",
        )
        real, fake = twin(x).double(), twin(x_hat.detach()).double()
        want = (1 + (-real).exp()).log().mean() + (1 + fake.exp()).log().mean()
        t.near(
            "value",
            loss,
            want.item(),
            1e-5,
            given="real: softplus(-logit), made: softplus(logit), means added",
            because="it wants high logits for real images and low ones for reconstructions",
        )
        loss.backward()
        t.true(
            "nothing reaches the network that made x_hat",
            scale.grad is None,
            scale.grad,
            "no gradient at all",
            because=(
                "x_hat.detach(): otherwise it is trained to be recognised, or that work is wasted"
            ),
        )
        grads = torch.autograd.grad(want, list(twin.parameters()))
        t.equal(
            "the discriminator learns from both kinds",
            [p.grad for p in discriminator.parameters()],
            list(grads),
            atol=1e-4,
            because="neither of its two calls may be detached or under no_grad",
        )

    @wrong("nothing reaches the network that made x_hat")
    def attached(x, x_hat, discriminator):
        return F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_hat)).mean()

    @wrong("the other the reconstructions")
    def zeros(x, x_hat, discriminator):
        return (
            F.softplus(-discriminator(x)).mean()
            + F.softplus(discriminator(torch.zeros_like(x))).mean()
        )

    @wrong("called once for each kind of image")
    def one_batch(x, x_hat, discriminator):
        real, fake = discriminator(torch.cat([x, x_hat.detach()])).chunk(2)
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    @wrong("called once for each kind of image")
    def twice_through(x, x_hat, discriminator):
        real, fake = discriminator(x), discriminator(x_hat.detach())
        return F.softplus(-discriminator(real)).mean() + F.softplus(discriminator(fake)).mean()

    @wrong("to have 1 channels")
    def pair_of_channels(x, x_hat, discriminator):
        made = x_hat.detach()
        return (
            F.softplus(-discriminator(torch.cat([x, made], 1))).mean()
            + F.softplus(discriminator(torch.cat([made, x], 1))).mean()
        )

    @wrong("missing 1 required positional argument")
    def two_arguments(x, x_hat, discriminator):
        class Pair(nn.Module):
            def forward(self, real, made):
                return discriminator(real), discriminator(made)

        return Pair()(x)

    @wrong("value")
    def labels_swapped(x, x_hat, discriminator):
        return (
            F.softplus(discriminator(x)).mean() + F.softplus(-discriminator(x_hat.detach())).mean()
        )

    @wrong("one number with a gradient for the discriminator")
    def no_grad_for_all(x, x_hat, discriminator):
        with torch.no_grad():
            return F.softplus(-discriminator(x)).mean() + F.softplus(discriminator(x_hat)).mean()

    @wrong("the discriminator learns from both kinds")
    def logits_detached(x, x_hat, discriminator):
        return (
            F.softplus(-discriminator(x)).mean()
            + F.softplus(discriminator(x_hat.detach()).detach()).mean()
        )


class Logits(Exercise):
    "A discriminator that is sure"

    id, kind = "vqgan.logits", "bug"
    difficulty, importance, minutes = 2, 5, 6
    covers = ("S1-B2.7", "S4-B6.3", "S1-B2.8", "S1-F16")
    task = (
        "From logits, return `(loss_d, loss_g)`: the discriminator's mean binary cross-entropy, "
        "target 1 on `real` plus target 0 on `fake`; "
        "and the generator's non-saturating loss, the mean of -log D on `fake`, D being the "
        "sigmoid of the logit. Both must be exact, "
        "and have a useful gradient, at logits of some hundreds."
    )
    starter = """
def logistic_losses(real, fake):  # logits, any shape -> two scalars
    p, q = torch.sigmoid(real), torch.sigmoid(fake)
    loss_d = F.binary_cross_entropy(p, torch.ones_like(p)) + F.binary_cross_entropy(
        q, torch.zeros_like(q)
    )
    loss_g = (1 - q).log().mean()
    return loss_d, loss_g
"""
    bug = "the generator minimises -log D"
    hints = (
        "How large is the gradient of log(1 - D) where D is nearly 0, and how large that of "
        "-log D? Which does a poor generator need?",
        "In float32 a sigmoid is exactly 0 or 1 far out, and nothing after it can repair that. "
        "-log sigmoid(a) is softplus(-a).",
        "loss_d = F.softplus(-real).mean() + F.softplus(fake).mean(); loss_g = "
        "F.softplus(-fake).mean()",
    )

    def reference(real, fake):
        return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(-fake).mean()

    def another(real, fake):
        bce = F.binary_cross_entropy_with_logits
        return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake)), bce(
            fake, torch.ones_like(fake)
        )

    def another2(real, fake):
        return -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean(), -F.logsigmoid(fake).mean()

    def check(t, logistic_losses):
        def ask(real, fake):
            out = t.call(logistic_losses, real, fake)
            t.true(
                "it returns (loss_d, loss_g)",
                isinstance(out, (tuple, list)) and len(out) == 2,
                out,
                "two losses",
                because="two players, two losses: they pull the fake logits in opposite directions",
            )
            return out

        real, fake = t.randn(2, 1, 3, 3), t.randn(2, 1, 4, 4) - 1
        loss_d, loss_g = ask(real, fake)
        p, q = 1 / (1 + (-real.double()).exp()), 1 / (1 + (-fake.double()).exp())
        t.near(
            "the discriminator's cross-entropy",
            loss_d,
            -(p.log().mean() + (1 - q).log().mean()).item(),
            1e-5,
            given="logits near 0",
            because="target 1 for real, 0 for fake; the two means are added",
        )
        t.near(
            "the generator minimises -log D",
            loss_g,
            -q.log().mean().item(),
            1e-5,
            given="logits near 0",
            because="log(1 - D) has the same fixed point but hardly any gradient when the "
            "discriminator is sure (Goodfellow et al. 2014, "
            "section 3)",
        )
        sure = ask(torch.full((1, 1, 2, 2), -120.0), torch.full((1, 1, 2, 2), -700.0))
        t.near(
            "exact where the discriminator is sure and wrong",
            sure[0],
            120.0,
            1e-3,
            given="real logits of -120, fake ones of -700",
            because="binary_cross_entropy stops at 100, and a sigmoid far out is exactly 0 or 1",
        )
        t.near(
            "exact where the discriminator is sure and right",
            sure[1],
            700.0,
            1e-3,
            given="fake logits of -700",
            because="exp of a large number is infinite in float32",
        )
        fooled = ask(torch.full((1, 1, 2, 2), 500.0), torch.full((1, 1, 2, 2), 700.0))
        t.near(
            "exact where the fakes pass for real",
            fooled[0],
            700.0,
            1e-3,
            given="real logits of 500, fake ones of 700",
            because="1 - sigmoid(700) is 0 in float64 too: stay with the logits",
        )
        fake = torch.full((1, 1, 2, 2), -700.0).requires_grad_()
        loss_g = ask(real, fake)[1]
        t.true(
            "the generator's loss is a tensor with a gradient",
            isinstance(loss_g, torch.Tensor) and loss_g.requires_grad,
            loss_g,
            "requires_grad",
            because="detached logits and .item() leave nothing to back-propagate",
        )
        loss_g.backward()
        t.equal(
            "a generator that is found out has a gradient",
            fake.grad,
            torch.full((1, 1, 2, 2), -0.25),
            given="4 fake logits of -700",
            because=(
                "d(-log D) / d logit is D - 1: about -1 where D is 0, divided by 4 for the mean"
            ),
        )

    @wrong("exact where the fakes pass for real")
    def in_float64(real, fake):
        p, q = real.double().sigmoid(), fake.double().sigmoid()
        return -p.log().mean() - (1 - q).log().mean(), -q.log().mean()

    @wrong("the generator's loss is a tensor with a gradient")
    def nothing_to_learn_from(real, fake):
        fake = fake.detach()
        return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(-fake).mean()

    @wrong("the generator minimises -log D")
    def saturating(real, fake):
        return F.softplus(-real).mean() + F.softplus(fake).mean(), -F.softplus(fake).mean()

    @wrong("the generator minimises -log D")
    def zero_sum(real, fake):
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        return loss, -loss

    @wrong("the generator minimises -log D")
    def one_for_both(real, fake):
        loss = F.softplus(-real).mean() + F.softplus(fake).mean()
        return loss, loss

    @wrong("all elements of input should be between 0 and 1")
    def bce_of_logits(real, fake):
        return F.binary_cross_entropy(real, torch.ones_like(real)), F.binary_cross_entropy(
            fake, torch.ones_like(fake)
        )

    @wrong("sure and wrong")
    def clamped(real, fake):
        bce, p, q = F.binary_cross_entropy, torch.sigmoid(real), torch.sigmoid(fake)
        return bce(p, torch.ones_like(p)) + bce(q, torch.zeros_like(q)), bce(q, torch.ones_like(q))

    @wrong("sure and wrong")
    def with_eps(real, fake):
        def log(v):
            return (v + 1e-8).log().mean()

        p, q = torch.sigmoid(real), torch.sigmoid(fake)
        return -log(p) - log(1 - q), -log(q)

    @wrong("sure and wrong")
    def overflows(real, fake):
        def soft(v):
            return (1 + v.exp()).log().mean()

        return soft(-real) + soft(fake), soft(-fake)

    @wrong("the discriminator's cross-entropy")
    def halved(real, fake):
        return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2, F.softplus(-fake).mean()

    @wrong("has a gradient")
    def bounded_logits(real, fake):
        def soft(v):
            return (
                F.softplus(v.clamp(-50, 50)).mean()
                + (v - v.clamp(-50, 50)).clamp(min=0).mean().detach()
            )

        return soft(-real) + soft(fake), soft(-fake)


class Losses(Exercise):
    "One number for two players"

    id, kind = "vqgan.losses", "bug"
    difficulty, importance, minutes = 3, 5, 9
    covers = ("S1-B2.8", "S1-B2.9", "S1-B2.14", "S4-B6.6", "S1-F16", "S1-F17")
    task = (
        "Return `(loss_g, loss_d)`. The autoencoder's: mean |x_hat - x|, plus "
        "`perceptual(x_hat, x)`, plus `latent` (codebook and "
        "commitment terms, a scalar), plus `weight` times the generator's hinge loss, which is "
        "minus the mean logit of `x_hat`. The discriminator's: "
        "half the sum of mean relu(1 - logit) on `x` and mean relu(1 + logit) on `x_hat`, with "
        "nothing for the autoencoder."
    )
    starter = """
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    real, fake = discriminator(x), discriminator(x_hat)
    loss = F.relu(1 - real).mean() + F.relu(1 + fake).mean() - weight * fake.mean() - latent
    return loss, loss
"""
    bug = "two players, two losses"
    hints = (
        "Who minimises what? Write the two sums on paper, term by term, each with its sign.",
        "Whatever the autoencoder should keep small has a plus sign: error, perceptual "
        "distance, latent term. Only the logits of "
        "x_hat should grow.",
        "loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * "
        "discriminator(x_hat).mean()",
    )

    def reference(x, x_hat, perceptual, latent, discriminator, weight):
        loss_g = (
            (x_hat - x).abs().mean()
            + perceptual(x_hat, x)
            + latent
            - weight * discriminator(x_hat).mean()
        )
        loss_d = 0.5 * (
            F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
        )
        return loss_g, loss_d

    def another(x, x_hat, perceptual, latent, discriminator, weight):
        real, made = discriminator(x), discriminator(x_hat.detach())
        zero = torch.zeros(())
        loss_d = (torch.maximum(zero, 1 - real).mean() + torch.maximum(zero, 1 + made).mean()) / 2
        terms = {
            "pixels": (1, F.l1_loss(x_hat, x)),
            "features": (1, perceptual(x_hat, x)),
            "latent": (1, latent),
            "adversary": (weight, -discriminator(x_hat).mean()),
        }
        return sum(w * v for w, v in terms.values()), loss_d

    def check(t, vqgan_losses):
        v = t.randn(1, 1, 3, 4)  # weights of a linear discriminator, two logits per image

        def discriminator(im):
            return torch.stack([(im * v).sum((1, 2, 3)), 0.5 * (im * v).mean((1, 2, 3)) - 0.3], 1)

        def perceptual(a, b):
            return 3 * (a - 2 * b).square().mean()

        x, made, q = t.randn(5, 1, 3, 4), t.randn(5, 1, 3, 4), torch.tensor(1.7)

        def ask(weight):
            x_hat, latent = made.clone().requires_grad_(), q.clone().requires_grad_()
            out = t.call(vqgan_losses, x, x_hat, perceptual, latent, discriminator, weight)
            two = (
                isinstance(out, (tuple, list))
                and len(out) == 2
                and all(isinstance(o, torch.Tensor) and o.numel() == 1 for o in out)
            )
            t.true(
                "it returns (loss_g, loss_d)",
                two and out[0].requires_grad,
                out,
                "two scalar tensors, the first with a gradient",
            )
            return *out, x_hat, latent

        loss_g, loss_d, x_hat, latent = ask(0.6)
        t.true(
            "two players, two losses",
            not torch.equal(loss_g, loss_d),
            f"the same number, {loss_g.item():.4f}",
            "two different sums",
            because=("what one gains the other loses: with one sum the discriminator would help"),
        )
        rest, adversary = (x - made).abs().mean() + perceptual(made, x), -discriminator(made).mean()

        def grad(y, v):
            return torch.autograd.grad(y, v, allow_unused=True, retain_graph=True)[0]

        got = grad(loss_g, latent)
        t.true(
            "the latent term is added, not subtracted",
            got is not None and got > 0,
            got,
            1.0,
            because="with a minus sign descent drives encoder and codes apart",
        )
        t.near(
            "pixels and perceptual distance are in the loss",
            ask(0.0)[0],
            (rest + q).item(),
            1e-5,
            given="weight 0",
            because="without them x_hat need not look like x",
        )
        t.near(
            "value of the autoencoder's loss",
            loss_g,
            (rest + q + 0.6 * adversary).item(),
            1e-5,
            given="weight 0.6",
            because=(
                "the generator's hinge loss is -mean logit: no relu, and the weight is on "
                "this term alone"
            ),
        )
        low, high = ask(0.0), ask(0.6)
        pushed = grad(high[0], high[2]) - grad(low[0], low[2])
        want = -0.6 * (v + 0.5 * v / 12).expand(5, -1, -1, -1) / 10
        t.equal(
            "the discriminator's opinion reaches x_hat",
            pushed,
            want,
            given="gradient at weight 0.6 less that at weight 0",
            because="in the autoencoder's loss x_hat is not detached",
        )
        hinge = 0.5 * (
            (1 - discriminator(x)).clamp(min=0).mean()
            + (1 + discriminator(made)).clamp(min=0).mean()
        )
        t.near(
            "value of the discriminator's loss",
            loss_d,
            hinge.item(),
            1e-5,
            given="hinge, half the sum",
            because="it is 1 at logits of 0; real ones are pushed above 1, made ones below -1",
        )
        t.true(
            "the discriminator's loss has nothing for the autoencoder",
            not loss_d.requires_grad or grad(loss_d, x_hat) is None,
            "a gradient at x_hat",
            "none",
            because="detach x_hat in the discriminator's loss only",
        )
        _both_learn(t, vqgan_losses)

    @wrong("every term of the first loss has its gradient at x_hat")
    def features_detached(x, x_hat, perceptual, latent, discriminator, weight):
        rest = (x_hat - x).abs().mean() + perceptual(x_hat.detach(), x) + latent
        return rest - weight * discriminator(x_hat).mean(), _hinge(x, x_hat, discriminator)

    @wrong("the discriminator learns from both kinds of images")
    def logits_detached(x, x_hat, perceptual, latent, discriminator, weight):
        real, fake = discriminator(x), discriminator(x_hat)
        rest = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent
        loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + fake.detach()).mean())
        return rest - weight * fake.mean(), loss_d

    @wrong("two players, two losses")
    def one_sum(x, x_hat, perceptual, latent, discriminator, weight):
        loss = (
            (x_hat - x).abs().mean()
            + perceptual(x_hat, x)
            + latent
            + weight * F.relu(1 + discriminator(x_hat)).mean()
        )
        return loss, loss

    @wrong("added, not subtracted")
    def minus_code(x, x_hat, perceptual, latent, discriminator, weight):
        return (x_hat - x).abs().mean() + perceptual(x_hat, x) - latent - weight * discriminator(
            x_hat
        ).mean(), _hinge(x, x_hat, discriminator)

    @wrong("pixels and perceptual distance")
    def gan_only(x, x_hat, perceptual, latent, discriminator, weight):
        return latent - weight * discriminator(x_hat).mean(), _hinge(x, x_hat, discriminator)

    @wrong("pixels and perceptual distance")
    def squares(x, x_hat, perceptual, latent, discriminator, weight):
        return F.mse_loss(x_hat, x) + perceptual(x_hat, x) + latent - weight * discriminator(
            x_hat
        ).mean(), _hinge(x, x_hat, discriminator)

    @wrong("value of the autoencoder's loss")
    def sign_of_logits(x, x_hat, perceptual, latent, discriminator, weight):
        return (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent + weight * discriminator(
            x_hat
        ).mean(), _hinge(x, x_hat, discriminator)

    @wrong("value of the autoencoder's loss")
    def relu_for_both(x, x_hat, perceptual, latent, discriminator, weight):
        adversary = F.relu(1 - discriminator(x_hat)).mean()
        return (x_hat - x).abs().mean() + perceptual(
            x_hat, x
        ) + latent + weight * adversary, _hinge(x, x_hat, discriminator)

    @wrong("opinion reaches x_hat")
    def all_detached(x, x_hat, perceptual, latent, discriminator, weight):
        adversary = -discriminator(x_hat.detach()).mean()
        return (x_hat - x).abs().mean() + perceptual(
            x_hat, x
        ) + latent + weight * adversary, _hinge(x, x_hat, discriminator)

    @wrong("value of the discriminator's loss")
    def labels_swapped(x, x_hat, perceptual, latent, discriminator, weight):
        loss_g = (
            (x_hat - x).abs().mean()
            + perceptual(x_hat, x)
            + latent
            - weight * discriminator(x_hat).mean()
        )
        return loss_g, _hinge(x_hat, x, discriminator)

    @wrong("nothing for the autoencoder")
    def attached(x, x_hat, perceptual, latent, discriminator, weight):
        loss_g = (
            (x_hat - x).abs().mean()
            + perceptual(x_hat, x)
            + latent
            - weight * discriminator(x_hat).mean()
        )
        return loss_g, 0.5 * (
            F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat)).mean()
        )


def _both_learn(t, vqgan_losses):
    "Both losses have the gradients that they should have, at x_hat and in the discriminator."
    x, made, w = t.randn(5, 1, 3, 4), t.randn(5, 1, 3, 4), t.randn(1, 3, 4).requires_grad_()
    x_hat, latent = made.clone().requires_grad_(), torch.tensor(0.5, requires_grad=True)

    def discriminator(images):
        return (images * w).sum((1, 2, 3))

    def perceptual(a, b):
        return (2 * a - b).square().mean()

    loss_g, loss_d = t.call(vqgan_losses, x, x_hat, perceptual, latent, discriminator, 0.0)
    t.equal(
        "every term of the first loss has its gradient at x_hat",
        torch.autograd.grad(loss_g, x_hat, retain_graph=True)[0],
        ((made - x).sign() + 4 * (2 * made - x)) / made.numel(),
        given="weight 0: error and perceptual distance",
        because="a detached x_hat in one of them leaves its value and takes its pull away",
    )
    real, fake = (x * w).sum((1, 2, 3)).detach() < 1, (made * w).sum((1, 2, 3)).detach() > -1
    want = (fake[:, None, None, None] * made - real[:, None, None, None] * x).sum(0) / 10
    t.equal(
        "the discriminator learns from both kinds of images",
        torch.autograd.grad(loss_d, w, allow_unused=True)[0],
        want,
        because="detach the images that it is shown, not what it says of them",
    )


def _hinge(x, x_hat, discriminator):
    "The discriminator's hinge loss, as it should be."
    return 0.5 * (
        F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
    )


class _Small(nn.Module):
    "A VQ model of vectors: `model(x)` gives (x_hat, latent loss)."

    def __init__(self):
        super().__init__()
        self.encoder, self.codebook = nn.Linear(6, 3), nn.Parameter(torch.randn(5, 3))
        self.decoder = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 6))

    def forward(self, x):
        z_e = self.encoder(x)
        z_q = self.codebook[torch.cdist(z_e, self.codebook).argmin(1)]
        latent = (z_q - z_e.detach()).square().mean() + 0.25 * (z_e - z_q.detach()).square().mean()
        return self.decoder(z_e + (z_q - z_e).detach()), latent


class Turn(Exercise):
    "One turn of both players"

    id, kind = "vqgan.turn", "bug"
    difficulty, importance, minutes = 4, 5, 10
    covers = ("S1-B2.11", "S1-B2.12", "S1-B2.15", "S4-B6.4", "S1-Q5", "S1-C2", "S4-C3")
    task = (
        "One turn with plain SGD of size `lr`. First the whole autoencoder steps on mean "
        "|x_hat - x| + latent - mean discriminator(x_hat), "
        "with `x_hat, latent = model(x)`; `model` holds `encoder`, `codebook` and `decoder`. "
        "Then the discriminator steps on "
        "mean relu(1 - discriminator(x)) + mean relu(1 + discriminator(x_hat)), for the x_hat "
        "made before the step. Gradients left from earlier "
        "count for nothing. Return both losses as floats. This version stops with an error, "
        "and retain_graph is no way out."
    )
    starter = """
def turn(x, model, discriminator, lr):  # -> (float, float)
    opt_g = torch.optim.SGD(model.decoder.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat)).mean()
    opt_g.zero_grad()
    opt_d.zero_grad()
    loss_g.backward(retain_graph=True)
    opt_g.step()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()
"""
    bug = "modified by an inplace operation"
    hints = (
        "Which weights does loss_d.backward() pass through, and which of them have just been "
        "changed?",
        "The discriminator only needs the numbers in x_hat. And what has loss_g.backward() left in "
        "the discriminator's .grad?",
        "opt_g over model.parameters(); after its step: loss_d from x_hat.detach(), then "
        "opt_d.zero_grad(), backward, step.",
    )

    def reference(x, model, discriminator, lr):
        opt_g, opt_d = (
            torch.optim.SGD(model.parameters(), lr),
            torch.optim.SGD(discriminator.parameters(), lr),
        )
        x_hat, latent = model(x)
        loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
        opt_g.zero_grad()
        loss_g.backward()
        opt_g.step()
        loss_d = (
            F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
        )
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        return loss_g.item(), loss_d.item()

    def another(x, model, discriminator, lr):
        x_hat, latent = model(x)
        loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
        loss_d = (
            F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
        )
        weights = [*model.parameters(), *discriminator.parameters()]
        grads = [
            *torch.autograd.grad(loss_g, list(model.parameters())),
            *torch.autograd.grad(loss_d, list(discriminator.parameters())),
        ]
        with torch.no_grad():
            torch._foreach_sub_(weights, grads, alpha=lr)
        return loss_g.item(), loss_d.item()

    def check(t, turn):
        torch.manual_seed(7)
        model, discriminator = (
            _Small(),
            nn.Sequential(nn.Linear(6, 4), nn.LeakyReLU(0.2), nn.Linear(4, 2)),
        )
        with (
            torch.no_grad()
        ):  # some real logits beyond 1 and made ones below -1: there the hinge is flat
            discriminator[2].weight *= 6
            discriminator[2].bias -= torch.tensor([1.62, 0.0])
        for p in (*model.parameters(), *discriminator.parameters()):
            p.grad = torch.full_like(p, 0.5)  # left by somebody earlier
        twin, judge, x, lr = copy.deepcopy(model), copy.deepcopy(discriminator), t.randn(8, 6), 0.1
        got = t.call(turn, x, model, discriminator, lr)
        x_hat, latent = twin(x)
        loss_g = (x - x_hat).abs().mean() + latent - judge(x_hat).mean()
        loss_d = (1 - judge(x)).clamp(min=0).mean() + (1 + judge(x_hat.detach())).clamp(
            min=0
        ).mean()

        def step(net, loss):
            return [
                p.detach() - lr * g
                for p, g in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters())))
            ]

        names = [n.split(".")[0] for n, _ in twin.named_parameters()]
        moved = {
            n
            for n, p, q in zip(names, model.parameters(), twin.parameters())
            if not torch.equal(p, q)
        }
        t.equal(
            "encoder, codebook and decoder all move",
            sorted(moved),
            ["codebook", "decoder", "encoder"],
            because="an optimizer over the decoder alone leaves the rest as it was drawn",
        )
        t.equal(
            "the autoencoder takes one step on its own loss",
            list(model.parameters()),
            step(twin, loss_g),
            atol=1e-6,
            given="gradients of 0.5 were left in every weight",
            because="look at what was left in .grad, what the discriminator's backward "
            "adds, and whether the discriminator moved first",
        )
        t.equal(
            "the discriminator takes one step on its own loss",
            list(discriminator.parameters()),
            step(judge, loss_d),
            atol=1e-6,
            given="gradients of 0.5 were left in every weight",
            because="loss_g.backward() leaves its gradient in the discriminator: clear "
            "after it, and show the discriminator the x_hat that was made before the step",
        )
        t.true(
            "two floats",
            isinstance(got, (tuple, list)) and all(isinstance(v, float) for v in got),
            got,
            "(loss_g, loss_d)",
        )
        t.equal("the losses are those before the steps", list(got), [loss_g.item(), loss_d.item()])
        far = copy.deepcopy(twin)
        t.call(turn, x, far, copy.deepcopy(judge), 2 * lr)
        t.equal(
            "the step is as long as lr says",
            list(far.parameters()),
            [2 * p.detach() - q.detach() for p, q in zip(model.parameters(), twin.parameters())],
            atol=1e-5,
            given="lr 0.2 after 0.1",
        )

    @wrong("modified by an inplace operation")
    def graph_retained(x, model, discriminator, lr):
        opt_g, opt_d = (
            torch.optim.SGD(model.parameters(), lr),
            torch.optim.SGD(discriminator.parameters(), lr),
        )
        x_hat, latent = model(x)
        loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
        opt_g.zero_grad()
        loss_g.backward(retain_graph=True)
        opt_g.step()
        loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat)).mean()
        opt_d.zero_grad()
        loss_d.backward()
        opt_d.step()
        return loss_g.item(), loss_d.item()

    @wrong("encoder, codebook and decoder all move")
    def decoder_only(x, model, discriminator, lr):
        decoder = types.SimpleNamespace(parameters=model.decoder.parameters)
        return _take_turns(x, model, discriminator, lr, movers=decoder)

    @wrong("the discriminator takes one step on its own loss")
    def cleared_too_early(x, model, discriminator, lr):
        discriminator.zero_grad()
        return _take_turns(x, model, discriminator, lr, clear=False)

    @wrong("the autoencoder takes one step on its own loss")
    def never_cleared(x, model, discriminator, lr):
        x_hat, latent = model(x)
        loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
        loss_g.backward()
        torch.optim.SGD(model.parameters(), lr).step()
        discriminator.zero_grad()
        loss_d = (
            F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
        )
        loss_d.backward()
        torch.optim.SGD(discriminator.parameters(), lr).step()
        return loss_g.item(), loss_d.item()

    @wrong("the discriminator takes one step on its own loss")
    def made_again(x, model, discriminator, lr):
        return _take_turns(x, model, discriminator, lr, again=True)

    @wrong("the autoencoder takes one step on its own loss")
    def shared_backward(x, model, discriminator, lr):
        x_hat, latent = model(x)
        loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
        loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat)).mean()
        opt = torch.optim.SGD([*model.parameters(), *discriminator.parameters()], lr)
        opt.zero_grad()
        (loss_g + loss_d).backward()
        opt.step()
        return loss_g.item(), loss_d.item()

    @wrong("the discriminator takes one step on its own loss")
    def one_optimizer(x, model, discriminator, lr):
        x_hat, latent = model(x)
        loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
        loss_d = (
            F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
        )
        opt = torch.optim.SGD([*model.parameters(), *discriminator.parameters()], lr)
        opt.zero_grad()
        (loss_g + loss_d).backward()
        opt.step()
        return loss_g.item(), loss_d.item()

    @wrong("two floats")
    def tensors(x, model, discriminator, lr):
        return tuple(torch.tensor(v) for v in _take_turns(x, model, discriminator, lr))


def _take_turns(x, model, discriminator, lr, movers=None, clear=True, again=False):
    "One turn of both players; the switches break it."
    opt_g, opt_d = (
        torch.optim.SGD((movers or model).parameters(), lr),
        torch.optim.SGD(discriminator.parameters(), lr),
    )
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    model.zero_grad()
    loss_g.backward()
    opt_g.step()
    if again:
        x_hat = model(x)[0]
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
    if clear:
        opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


class AdaptiveWeight(Exercise):
    "How hard may the discriminator push?"

    id = "vqgan.adaptive_weight"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("W5", "S1-Q5", "S4-F13", "S4-B6.6")
    task = (
        "Return the weight of the adversarial loss: the norm of the gradient of `rec_loss` "
        "with respect to `last`, the weight of the "
        "decoder's last layer, divided by (the norm of that of `gan_loss` plus `eps`), at most "
        "`limit`. It is a plain number as far as "
        "gradients go, both losses can still be back-propagated afterwards, and `last.grad` is "
        "left alone."
    )
    starter = """
def adaptive_weight(
    rec_loss, gan_loss, last, eps=1e-4, limit=1e4
):  # scalars, tensor of weights -> scalar tensor
    ...
"""
    hints = (
        "Not the losses are compared, but how hard each of them pulls at one weight tensor.",
        "torch.autograd.grad(loss, last) gives the gradient without writing into .grad; it "
        "frees the graph unless told not to.",
        "a, b = (torch.autograd.grad(v, last, retain_graph=True)[0].norm() for v in (rec_loss, "
        "gan_loss)); then "
        "(a / (b + eps)).clamp(max=limit)",
    )

    def reference(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        pulls = [
            torch.autograd.grad(loss, last, retain_graph=True)[0].norm()
            for loss in (rec_loss, gan_loss)
        ]
        return (pulls[0] / (pulls[1] + eps)).clamp(max=limit).detach()

    def another(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        squares = []
        for loss in (rec_loss, gan_loss):
            (g,) = torch.autograd.grad([loss], [last], [torch.ones_like(loss)], retain_graph=True)
            squares.append(float(g.double().pow(2).sum()))
        return torch.tensor(min(limit, math.sqrt(squares[0]) / (math.sqrt(squares[1]) + eps)))

    def check(t, adaptive_weight):
        a, b, start = t.randn(3, 4), t.randn(3, 4), t.randn(3, 4)

        def ask(scale=1.0, pull=1.0, left=None, **kw):
            last = start.clone().requires_grad_()
            last.grad = left
            rec, gan = pull * (last * a + last**2 / 2).sum() + 40, scale * (last * b).sum().sin()
            got = t.call(adaptive_weight, rec, gan, last, **kw)
            t.true("it returns one number", torch.as_tensor(got).numel() == 1, got, "a scalar")
            return torch.as_tensor(got), rec, gan, last

        r = (a + start).square().sum().sqrt().item()
        g = abs((start * b).sum().cos().item()) * b.square().sum().sqrt().item()
        got, rec, gan, last = ask()
        t.near(
            "norm of one gradient over norm of the other",
            got,
            r / (g + 1e-4),
            1e-4 * r / g,
            given="a 3 x 4 weight",
            because=(
                "gradients with respect to `last`, not the losses; Euclidean norms, "
                "reconstruction above, adversary below"
            ),
        )
        t.true(
            "the weight passes no gradient on",
            not got.requires_grad,
            "requires_grad is True",
            "a detached number",
            because="differentiating the weight would let the model lower its loss by pulling less",
        )
        t.true(
            "last.grad is left alone",
            last.grad is None,
            last.grad,
            None,
            because=".backward() writes into .grad; use autograd.grad",
        )
        try:
            (rec + gan).backward()
        except RuntimeError as e:
            t.refuse(
                "both losses can be back-propagated afterwards",
                str(e)[:90],
                "no error",
                because="autograd.grad frees the graph: retain_graph=True, for both",
            )
        last = ask(left=torch.ones(3, 4))[3]
        t.true(
            "what stood in last.grad stays there",
            last.grad is not None and torch.equal(last.grad, torch.ones(3, 4)),
            last.grad,
            "ones",
            given="last.grad full of ones before the call",
            because="emptying .grad throws away what others have added up",
        )
        weak = 1e-4 / g
        t.near(
            "eps stands beside the lower norm",
            ask(scale=weak, pull=1 / r)[0],
            5000.0,
            5.0,
            given="norms 1 and 1e-4, eps 1e-4",
            because="added to the norm: not inside a square root, not outside the fraction",
        )
        t.near(
            "scaling the adversarial loss changes nothing in the end",
            ask(scale=100.0)[0] * 100,
            r / (g + 1e-6),
            1e-4 * r / g,
            given="gan_loss times 100: the weight is a hundredth",
            because="that is what the ratio is for",
        )
        t.near(
            "eps is an argument",
            ask(scale=1 / g, pull=1 / r, eps=1.0)[0],
            0.5,
            1e-4,
            given="norms 1 and 1, eps 1",
        )
        t.near(
            "a dead discriminator does not blow up the loss",
            ask(scale=0.0, limit=70.0)[0],
            70.0,
            1e-4,
            given="gan_loss constant, limit 70",
            because=(
                "without a limit the weight is r / eps and the first live gradient is "
                "multiplied by it"
            ),
        )
        t.near(
            "the limit is 10,000 unless given",
            ask(scale=0.0)[0],
            1e4,
            1e-2,
            given="gan_loss constant",
        )

    @wrong("what stood in last.grad stays there")
    def empties_grad(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        norms = []
        for loss in (rec_loss, gan_loss):
            last.grad = None
            loss.backward(retain_graph=True, inputs=[last])
            norms.append(last.grad.norm())
        last.grad = None
        return (norms[0] / (norms[1] + eps)).clamp(max=limit)

    @wrong("norm of one gradient over norm of the other")
    def of_losses(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        return (rec_loss / (gan_loss.abs() + eps)).clamp(max=limit).detach()

    @wrong("norm of one gradient over norm of the other")
    def inverted(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        return _ratio(gan_loss, rec_loss, last, eps, limit)

    @wrong("norm of one gradient over norm of the other")
    def squared(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        return _ratio(rec_loss, gan_loss, last, eps, limit) ** 2

    @wrong("norm of one gradient over norm of the other")
    def largest_entry(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        a, b = (
            torch.autograd.grad(v, last, retain_graph=True)[0].abs().max()
            for v in (rec_loss, gan_loss)
        )
        return (a / (b + eps)).clamp(max=limit)

    @wrong("passes no gradient on")
    def attached(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        a, b = (
            torch.autograd.grad(v, last, create_graph=True)[0].norm() for v in (rec_loss, gan_loss)
        )
        return (a / (b + eps)).clamp(max=limit)

    @wrong("last.grad is left alone")
    def backward(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        norms = []
        for loss in (rec_loss, gan_loss):
            last.grad = None
            loss.backward(retain_graph=True)
            norms.append(last.grad.norm())
        return (norms[0] / (norms[1] + eps)).clamp(max=limit)

    @wrong("can be back-propagated afterwards")
    def graph_freed(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        a, b = (torch.autograd.grad(v, last)[0].norm() for v in (rec_loss, gan_loss))
        return (a / (b + eps)).clamp(max=limit)

    @wrong("eps stands beside the lower norm")
    def eps_outside(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        return _ratio(rec_loss, gan_loss, last, 1e-12, limit) + eps

    @wrong("eps stands beside the lower norm")
    def at_most_one(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        return _ratio(rec_loss, gan_loss, last, eps, 10.0)

    @wrong("a dead discriminator")
    def no_limit(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
        return _ratio(rec_loss, gan_loss, last, eps, math.inf)


def _ratio(above, below, last, eps, limit):
    "Norm of one gradient over that of another, at most `limit`."
    a, b = (torch.autograd.grad(v, last, retain_graph=True)[0].norm() for v in (above, below))
    return (a / (b + eps)).clamp(max=limit)


class PatchDiscriminator(Exercise):
    "A discriminator that cannot tell two clouds apart"

    id, kind = "vqgan.patch_critic", "bug"
    difficulty, importance, minutes = 3, 5, 10
    covers = ("S4-B5.3", "S4-B5.5", "S4-F6", "S4-C2", "S4-B2.3")
    seconds = 20.0  # many small convolutions: slow where threads compete
    task = (
        "A discriminator of patches: colour images `(b, 3, h, w)` with h and w divisible by 4, of "
        "any size, to raw logits `(b, 1, h/4, w/4)`. "
        "A logit depends on a patch of at most 24 x 24 pixels of its own image and on nothing "
        "else, in training too, and the "
        "map from image to logits is not affine. This version breaks at its last layer, and "
        "would be useless if it did not."
    )
    starter = """
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.Flatten(),
            nn.Linear(2 * width * 9 * 9, 1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.net(x)
"""
    bug = "shapes cannot be multiplied"
    hints = (
        "Which layer ties the discriminator to one image size? What would a convolution with one "
        "output channel give in its place?",
        "Convolution after convolution is one convolution. What has to stand between two of "
        "them? And what belongs to the loss, "
        "not to the discriminator?",
        "Conv2d(3, w, 4, 2, 1), LeakyReLU(.2), Conv2d(w, 2w, 4, 2, 1), LeakyReLU(.2), "
        "Conv2d(2w, 1, 3, padding=1)",
    )

    class reference(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(3, width, 4, stride=2, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(2 * width, 1, 3, padding=1),
            )

        def forward(self, x):
            return self.net(x)

    class another(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.hidden, self.out = nn.Linear(3 * 8 * 8, 4 * width), nn.Linear(4 * width, 1)

        def forward(self, x):
            b, _, h, w = x.shape
            patches = F.unfold(x, 8, padding=2, stride=4).mT  # (b, h/4 * w/4, 3 * 8 * 8)
            return self.out(F.silu(self.hidden(patches))).mT.reshape(b, 1, h // 4, w // 4)

    def check(t, make):
        torch.manual_seed(2)
        discriminator = t.call(make)
        x = t.randn(2, 3, 32, 32)
        t.shape(
            "one logit for each 4 x 4 pixels",
            t.call(discriminator, x),
            (2, 1, 8, 8),
            given="x of shape (2, 3, 32, 32)",
            because=(
                "strides 2 and 2, each with a padding that halves exactly; no Flatten, no "
                "Linear over the whole image"
            ),
        )
        t.shape(
            "any size will do",
            t.call(discriminator, t.randn(1, 3, 24, 40)),
            (1, 1, 6, 10),
            given="x of shape (1, 3, 24, 40)",
            because=(
                "a Linear over the flattened map knows one size only; a convolution does not care"
            ),
        )
        first, second = (
            copy.deepcopy(discriminator),
            copy.deepcopy(discriminator),
        )  # the same state for both calls
        other = t.call(second, torch.cat([x[:1], 5 * t.randn(1, 3, 32, 32) + 1]))
        t.equal(
            "a logit depends on its own image",
            other[0],
            t.call(first, x)[0],
            atol=1e-4,
            given="another partner in the batch",
            because="batch statistics mix the images of a batch in training",
        )
        wide = x.clone().requires_grad_()
        touched = (
            torch.autograd.grad(discriminator(wide)[:, 0, 4, 4].sum(), wide)[0].ne(0).sum((0, 1))
        )
        size = max(touched.any(0).sum().item(), touched.any(1).sum().item())
        t.true(
            "a logit sees a patch",
            size <= 24,
            f"{size} pixels wide",
            "at most 24 pixels",
            given="the gradient of one logit",
            because=(
                "large kernels, pooling over the image and group or instance statistics "
                "let every pixel in"
            ),
        )
        made = [make() for _ in range(4)]
        with torch.no_grad():
            out = torch.stack([c(torch.cat([x, -x, 0 * x])) for c in made]).unflatten(
                1, (3, 2)
            )  # (4, 3, 2, 1, 8, 8)
            for p in (p for c in made for p in c.parameters()):
                p.mul_(50.0)
            loud = torch.stack([c(1e4 * x) for c in made])
        t.true(
            "raw logits, without bounds and of both signs",
            loud.max() > 1 and loud.min() < -1,
            loud,
            "values above 1 and below -1",
            given="4 discriminators with large weights",
            because="sigmoid and tanh belong to the loss, and a ReLU after the last layer takes "
            "away one sign",
        )
        bend = (out[:, 0] + out[:, 1] - 2 * out[:, 2]).abs().max() / (
            out[:, 0] - out[:, 2]
        ).abs().max()
        t.true(
            "not affine",
            bend > 1e-3,
            bend,
            "D(x) + D(-x) - 2 D(0) far from 0",
            because="without activations a stack of convolutions is one affine map: two clouds "
            "with one mean and different widths look "
            "alike to it",
        )

    @wrong("any size will do")
    class one_size(nn.Module):
        def __init__(self, width=16):
            super().__init__()
            self.net = nn.Sequential(
                nn.Conv2d(3, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 8, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Flatten(),
                nn.Linear(512, 64),
                nn.Unflatten(1, (1, 8, 8)),
            )

        def forward(self, x):
            return self.net(x) if x.shape[-1] == 32 else self.net(F.interpolate(x, (32, 32)))

    @wrong("one logit for each 4 x 4 pixels")
    class one_number(nn.Sequential):
        def __init__(self, width=16):
            super().__init__(
                nn.Conv2d(3, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 1, 4, 2, 1),
                nn.AdaptiveAvgPool2d(1),
                nn.Flatten(),
            )

    @wrong("one logit for each 4 x 4 pixels")
    class no_padding(nn.Sequential):
        def __init__(self, width=16):
            super().__init__(
                nn.Conv2d(3, width, 4, 2), nn.LeakyReLU(0.2), nn.Conv2d(width, 1, 4, 2)
            )

    @wrong("not affine")
    class no_activation(nn.Sequential):
        def __init__(self, width=16):
            super().__init__(
                nn.Conv2d(3, width, 4, 2, 1),
                nn.Conv2d(width, 2 * width, 4, 2, 1),
                nn.Conv2d(2 * width, 1, 3, padding=1),
            )

    @wrong("raw logits")
    class probabilities(nn.Sequential):
        def __init__(self, width=16):
            super().__init__(
                nn.Conv2d(3, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 1, 4, 2, 1),
                nn.Sigmoid(),
            )

    @wrong("raw logits")
    class relu_last(nn.Sequential):
        def __init__(self, width=16):
            super().__init__(
                nn.Conv2d(3, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 1, 4, 2, 1),
                nn.ReLU(),
            )

    @wrong("a logit depends on its own image")
    class batch_statistics(nn.Sequential):
        def __init__(self, width=16):
            super().__init__(
                nn.Conv2d(3, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 2 * width, 4, 2, 1),
                nn.BatchNorm2d(2 * width),
                nn.LeakyReLU(0.2),
                nn.Conv2d(2 * width, 1, 3, padding=1),
            )

    @wrong("a logit sees a patch")
    class sees_all(nn.Sequential):
        def __init__(self, width=16):
            super().__init__(
                nn.Conv2d(3, width, 4, 2, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, width, 4, 2, 1),
                nn.GroupNorm(4, width),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 1, 3, padding=1),
            )


class Generator(Exercise):
    "A generator that folds before it maps"

    id, kind = "vqgan.generator", "bug"
    difficulty, importance, minutes = 2, 3, 9
    covers = ("S4-B5.1", "S4-B5.2", "S4-B5.4", "S4-B5.5", "S4-C2")
    seconds = 20.0
    task = (
        "The baseline of a plain GAN: vectors `(b, d)` to images `(b, 1, 32, 32)` in [-1, 1], "
        "the i-th image from the i-th vector, "
        "every pixel depending on it, and not affine before the last squashing. Weights of all "
        "layers are used. This version fails in "
        "its first line; the next fault waits behind it."
    )
    starter = """
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2),
            nn.Tanh(),
        )

    def forward(self, z):
        h = z.view(len(z), 32, 1, 1)
        return self.up(self.to_grid(h)).view(len(z), 1, 32, 32)
"""
    bug = "is invalid for input of size"
    hints = (
        "Which shape does a Linear take, and which a ConvTranspose2d? Where is the moment to fold?",
        "A transposed convolution with kernel 4, stride 2 and no padding makes n into 2n + 2. "
        "Which padding makes 2n? And what stands "
        "between two layers?",
        "h = self.to_grid(z).view(len(z), -1, 4, 4); ConvTranspose2d(.., 4, stride=2, "
        "padding=1), nn.ReLU() after all but the last.",
    )

    class reference(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.to_grid = nn.Linear(d, width * 4 * 4)

            def up(a, b):
                return nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)

            self.up = nn.Sequential(
                nn.ReLU(),
                up(width, width // 2),
                nn.ReLU(),
                up(width // 2, width // 4),
                nn.ReLU(),
                up(width // 4, 1),
                nn.Tanh(),
            )

        def forward(self, z):
            return self.up(self.to_grid(z).view(len(z), -1, 4, 4))

    class another(nn.Sequential):
        def __init__(self, d=100, width=32):
            super().__init__(
                nn.Linear(d, width * 64),
                nn.LeakyReLU(0.1),
                nn.Unflatten(1, (width, 8, 8)),
                nn.Upsample(scale_factor=2),
                nn.Conv2d(width, 16, 3, padding=1),
                nn.GELU(),
                nn.Conv2d(16, 4, 3, padding=1),
                nn.PixelShuffle(2),
                nn.Tanh(),
            )

    class another2(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.a, self.b = nn.Linear(d, 4 * width), nn.Linear(4 * width, 1024)

        def forward(self, z):
            return self.b(F.relu(self.a(z))).clamp(-1, 1).reshape(-1, 1, 32, 32)

    def check(t, make):
        torch.manual_seed(4)
        net, z = t.call(make, 7, 16), t.randn(3, 7)

        def usual():
            return t.call(t.call(make), t.randn(2, 100))

        t.shape(
            "images of 32 x 32",
            t.call(net, z),
            (3, 1, 32, 32),
            given="d 7, width 16, z of shape (3, 7)",
            because=(
                "4 doubled three times is 32 with kernel 4, stride 2, padding 1; without "
                "padding it is 46, and no view helps"
            ),
        )
        net.eval()
        out, loud = t.call(net, z).detach(), t.call(net, 1e4 * z).detach()
        t.true(
            "grey values stay in [-1, 1], and use it",
            loud.abs().max() <= 1 and loud.max() > 0.1 and loud.min() < -0.1,
            loud,
            "from -1 to 1",
            given="z times 10,000",
            because="the images it should look like are in [-1, 1]: end in tanh",
        )
        strong = copy.deepcopy(net)
        with torch.no_grad():
            for p in strong.parameters():
                p *= 20
        t.true(
            "so they do with any weights",
            t.call(strong, z).abs().max() <= 1,
            t.call(strong, z).detach(),
            "from -1 to 1",
            given="all weights times 20",
            because="only a squashing after the last layer holds while the weights grow",
        )
        t.equal(
            "the i-th image comes from the i-th vector",
            t.call(net, z[2:3]),
            out[2:3],
            atol=1e-4,
            given="the batch of three, and its last vector alone",
            because="folding along the wrong axis mixes the batch",
        )
        far = t.call(net, 5 * t.randn(16, 7)).detach()
        t.true(
            "every pixel depends on the vector",
            far.var(0).min() > 0,
            f"{int((far.var(0) == 0).sum())} pixels never change",
            "every pixel varies over 16 vectors",
            because="a border of zeros around a smaller picture is no picture of 32 x 32",
        )
        small = 0.3 * t.randn(8, 7)
        grey = (
            net(torch.cat([small, -small, 0 * small])).detach().clamp(-1 + 1e-6, 1 - 1e-6).double()
        )
        bends = [
            (up + down - 2 * still).abs().max() / (up - still).abs().max()
            for up, down, still in (u.chunk(3) for u in (grey.atanh(), grey))
        ]  # squashed by tanh, or cut off
        bend = min(bends)
        t.true(
            "not affine before the tanh",
            bend > 1e-2,
            bend,
            "u(z) + u(-z) - 2 u(0) far from 0, u the value before tanh",
            because=(
                "without activations all layers together are one matrix: normal noise "
                "gives normal pixels"
            ),
        )
        net.train()
        total, weights = net(z).square().sum(), list(net.parameters())
        grads = [None] * len(weights)
        if total.requires_grad:
            grads = torch.autograd.grad(total, weights, allow_unused=True)
        t.true(
            "all layers are used",
            all(g is not None for g in grads),
            f"{sum(g is None for g in grads)} weights without gradient",
            "none",
        )
        t.shape(
            "without arguments it takes vectors of 100",
            usual(),
            (2, 1, 32, 32),
            given="Generator() and z of shape (2, 100)",
            because=(
                "d is 100 and width 32 unless told; no size may be written as a number "
                "that fits one width only"
            ),
        )

    @wrong("so they do with any weights")
    class tanh_in_the_middle(reference):
        def forward(self, z):
            h = self.to_grid(z).view(len(z), -1, 4, 4)
            for layer in self.up[:-1]:
                h = layer(h) if isinstance(layer, nn.ConvTranspose2d) else torch.tanh(h)
            return h

    @wrong("the i-th image comes from the i-th vector")
    class last_first(reference):
        def forward(self, z):
            return super().forward(z).flip(0)

    @wrong("all layers are used")
    class detached(reference):
        def forward(self, z):
            return super().forward(z).detach()

    @wrong("images of 32 x 32")
    class no_padding(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()

            def up(a, b):
                return nn.ConvTranspose2d(a, b, 4, stride=2)

            self.to_grid = nn.Linear(d, width * 16)
            self.up = nn.Sequential(
                nn.ReLU(), up(width, 8), nn.ReLU(), up(8, 4), nn.ReLU(), up(4, 1), nn.Tanh()
            )

        def forward(self, z):
            return self.up(self.to_grid(z).view(len(z), -1, 4, 4))

    @wrong("not affine")
    class no_activation(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()

            def up(a, b):
                return nn.ConvTranspose2d(a, b, 4, stride=2, padding=1)

            self.to_grid = nn.Linear(d, width * 16)
            self.up = nn.Sequential(up(width, 8), up(8, 4), up(4, 1), nn.Tanh())

        def forward(self, z):
            return self.up(self.to_grid(z).view(len(z), -1, 4, 4))

    @wrong("grey values stay")
    class no_tanh(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 1024))

        def forward(self, z):
            return self.net(z).view(-1, 1, 32, 32)

    @wrong("grey values stay")
    class sigmoid_last(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 1024), nn.Sigmoid())

        def forward(self, z):
            return self.net(z).view(-1, 1, 32, 32)

    @wrong("the i-th image comes from the i-th vector")
    class mixes_batch(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 1024), nn.Tanh())

        def forward(self, z):
            return self.net(z.reshape(z.shape[1], -1).T).reshape(-1, 1, 32, 32)

    @wrong("every pixel depends")
    class framed(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.to_grid, up = (
                nn.Linear(d, width * 16),
                lambda a, b: nn.ConvTranspose2d(a, b, 4, stride=2),
            )
            self.up = nn.Sequential(nn.ReLU(), up(width, 8), nn.ReLU(), up(8, 1), nn.Tanh())

        def forward(self, z):
            return F.pad(
                self.up(self.to_grid(z).view(len(z), -1, 4, 4)), (5, 5, 5, 5)
            )  # 22 x 22 in a frame

    @wrong("shapes cannot be multiplied")
    class folds_first(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 1024), nn.Tanh())

        def forward(self, z):
            return self.net(z[:, :, None, None]).view(-1, 1, 32, 32)

    @wrong("all layers are used")
    class spare_layer(nn.Module):
        def __init__(self, d=100, width=32):
            super().__init__()
            self.spare, self.net = (
                nn.Linear(d, d),
                nn.Sequential(nn.Linear(d, 64), nn.ReLU(), nn.Linear(64, 1024), nn.Tanh()),
            )

        def forward(self, z):
            return self.net(z).view(-1, 1, 32, 32)


class _Box(nn.Module):
    "A model without a name: `how` says what its picture is made of."

    def __init__(self, how):
        super().__init__()
        self.how, self.codebook = how, nn.Parameter(torch.randn(6, 3))
        self.w, self.v = nn.Parameter(torch.randn(4, 3)), nn.Parameter(torch.randn(3, 4))
        self.register_buffer("calls", torch.zeros(()))  # in training, as a batch norm counts

    def forward(self, x):
        self.calls += self.training
        z_e = x @ self.w
        z_q = self.codebook[torch.cdist(z_e, self.codebook).argmin(1)]
        z = {
            "gan": lambda: torch.randn_like(z_e),
            "drawn codes": lambda: self.codebook[torch.randint(6, z_e.shape[:1])],
            "fixed": lambda: torch.linspace(-1, 1, z_e.numel()).view_as(z_e),
            "bypass": lambda: z_e,
            "jitter": lambda: z_e + 0.1 * torch.randn_like(z_e),
            "vq": lambda: z_q,
            "straight": lambda: z_e + (z_q - z_e).detach(),
            "vq jitter": lambda: z_q + 0.1 * torch.randn_like(z_q),
        }[self.how]()
        return (z @ self.v).tanh()


class TellApart(Exercise):
    "Which of them is a VQ-GAN?"

    id = "vqgan.tell_apart"
    difficulty, importance, minutes = 3, 4, 9
    covers = ("S4-B5.6", "S1-B2.13", "S1-Q4", "S4-Q2", "S1-F11", "S1-F13")
    task = (
        "Somebody hands you a module and says it is the generator of a VQ-GAN. All you know: "
        "`model(x)` gives images, and "
        "`model.codebook` `(k, d)` is a parameter. Return 'noise' if the images do not depend "
        "on x, 'autoencoder' if they depend on x "
        "but not on the codebook, 'vq' if on both. A model may draw random numbers on each "
        "call. Leave it as it was: weights, "
        "buffers, training mode, what requires a gradient, and .grad."
    )
    starter = """
def kind_of(model, x):  # -> "noise", "autoencoder" or "vq"
    ...
"""
    hints = (
        "What would change if you showed it other images? If you put other numbers in the "
        "codebook?",
        "A model that draws random numbers answers differently each time; start both calls "
        "from the same seed. Gradients are no "
        "witness: a straight-through estimator hides the codebook from them.",
        "Compare three outputs after torch.manual_seed(0): of x, of other images, and of x "
        "with a copy.deepcopy of the model "
        "whose codebook was drawn anew.",
    )

    def reference(model, x):
        def draw(model, x):
            torch.manual_seed(0)
            with torch.no_grad():
                return model(x)

        model, twin = copy.deepcopy(model), copy.deepcopy(model)
        torch.nn.init.normal_(twin.codebook, 5.0, 2.0)
        if torch.equal(draw(model, x), draw(model, torch.randn_like(x) * 3)):
            return "noise"
        return "autoencoder" if torch.equal(draw(model, x), draw(twin, x)) else "vq"

    def another(model, x):
        def differs(a, b):
            with torch.random.fork_rng():
                torch.manual_seed(1)
                first = a()
            with torch.random.fork_rng():
                torch.manual_seed(1)
                second = b()
            return (first - second).abs().max() > 0

        model = copy.deepcopy(model).eval()
        if not differs(lambda: model(x), lambda: model(-2 * x + 1)):
            return "noise"
        held = model.codebook.data

        def moved():
            model.codebook.data = 10 - 3 * held
            try:
                return model(x)
            finally:
                model.codebook.data = held

        return "vq" if differs(lambda: model(x), moved) else "autoencoder"

    def check(t, kind_of):
        torch.manual_seed(6)
        cases = [
            (
                "gan",
                "noise",
                "it draws noise and never looks at x: a plain GAN, whatever it is called",
            ),
            ("fixed", "noise", "the same pictures for every x"),
            ("bypass", "autoencoder", "the codes are computed, and the decoder reads z_e"),
            ("vq", "vq", "the decoder reads the chosen codes"),
            (
                "straight",
                "vq",
                "z_e + (z_q - z_e).detach() has the value of z_q and no gradient to the codebook",
            ),
            (
                "jitter",
                "autoencoder",
                "it adds random numbers, so two calls differ without any change",
            ),
            ("vq jitter", "vq", "it adds random numbers, and still depends on x and codebook"),
            ("drawn codes", "noise", "it draws codes, and never looks at x: ask for x first"),
        ]
        x = t.randn(5, 4)
        for how, want, why in cases:
            model = _Box(how)
            held = {k: v.detach().clone() for k, v in model.named_parameters()}
            got = t.call(kind_of, model, x)
            same = all(torch.equal(v, held[k]) for k, v in model.named_parameters())
            t.true(
                "the model is left as it was",
                same,
                "changed weights",
                "the same weights",
                because="work on a copy, or put back",
            )
            t.equal(f"the model '{how}' is told by what it does", got, want, because=why)
        model = _Box("vq")
        t.call(kind_of, model, x)
        found = {
            "calls counted in training": int(model.calls),
            "training": model.training,
            "requires_grad": all(p.requires_grad for p in model.parameters()),
            ".grad": any(p.grad is not None for p in model.parameters()),
        }
        t.equal(
            "nothing else of the model has changed",
            list(found.values()),
            [0, True, True, False],
            given=f"a model in training with a counter in a buffer; now {found}",
            because="work on a copy.deepcopy: then nothing is to be put back",
        )

    @wrong("nothing else of the model has changed")
    def runs_the_model_itself(model, x):
        def draw(m, x):
            torch.manual_seed(0)
            return m(x)

        first, twin = draw(model, x), copy.deepcopy(model)
        if torch.equal(first, draw(model, 1 - 2 * x)):
            return "noise"
        nn.init.normal_(twin.codebook, 5.0)
        return "autoencoder" if torch.equal(first, draw(twin, x)) else "vq"

    @wrong("nothing else of the model has changed")
    def leaves_it_in_eval(model, x):
        twin = copy.deepcopy(model.eval())

        def draw(x):
            torch.manual_seed(0)
            return twin(x)

        first = draw(x)
        if torch.equal(first, draw(1 - 2 * x)):
            return "noise"
        nn.init.normal_(twin.codebook, 5.0)
        return "autoencoder" if torch.equal(first, draw(x)) else "vq"

    @wrong("the model 'drawn codes' is told")
    def codebook_first(model, x):
        twin = copy.deepcopy(model)

        def draw(x):
            torch.manual_seed(0)
            return twin(x)

        first, other = draw(x), draw(1 - 2 * x)
        nn.init.normal_(twin.codebook, 5.0)
        if not torch.equal(first, draw(x)):
            return "vq"
        return "noise" if torch.equal(first, other) else "autoencoder"

    @wrong("told by what it does")
    def by_name(model, x):
        return "vq" if hasattr(model, "codebook") else "autoencoder"

    @wrong("the model 'straight' is told")
    def by_gradient(model, x):
        x = x.clone().requires_grad_()
        torch.manual_seed(0)
        first = model(x)
        torch.manual_seed(0)
        if torch.equal(first, model(x + 1)):
            return "noise"
        return (
            "vq"
            if torch.autograd.grad(first.sum(), model.codebook, allow_unused=True)[0] is not None
            else "autoencoder"
        )

    @wrong("the model 'jitter' is told")
    def seeded_only_once(model, x):
        def draw(x):
            torch.manual_seed(0)
            return model(x)

        if torch.equal(draw(x), draw(x + 1)):
            return "noise"
        twin = copy.deepcopy(model)
        nn.init.normal_(twin.codebook)
        return "autoencoder" if torch.equal(model(x), twin(x)) else "vq"

    @wrong("the model 'vq' is told")
    def codes_in_another_order(model, x):
        def draw(m, x):
            torch.manual_seed(0)
            return m(x)

        if torch.equal(draw(model, x), draw(model, x + 1)):
            return "noise"
        twin = copy.deepcopy(model)
        twin.codebook.data = twin.codebook.data.flip(0)
        return "autoencoder" if torch.equal(draw(model, x), draw(twin, x)) else "vq"

    @wrong("left as it was")
    def spoils(model, x):
        def draw(m, x):
            torch.manual_seed(0)
            return m(x)

        first = draw(model, x)
        model.codebook.data += 3
        return "vq" if not torch.equal(first, draw(model, x)) else "autoencoder"

    @wrong("the model 'gan' is told")
    def two_calls(model, x):
        return "vq" if not torch.equal(model(x), model(-x)) else "noise"

    @wrong("the model 'bypass' is told")
    def only_x(model, x):
        def draw(x):
            torch.manual_seed(0)
            return model(x)

        return "noise" if torch.equal(draw(x), draw(x + 1)) else "vq"


def _fresh(f):
    "The same function in a session that holds torch, nn, F and math, and nothing else."
    if not inspect.isfunction(f):
        return f
    names = {"torch": torch, "nn": nn, "F": F, "math": math, "__builtins__": builtins}
    twin = types.FunctionType(f.__code__, names, f.__name__, f.__defaults__, f.__closure__)
    twin.__kwdefaults__ = f.__kwdefaults__
    return twin


class Fresh(Exercise):
    "It ran yesterday"

    id, kind = "vqgan.fresh", "bug"
    difficulty, importance, minutes = 2, 4, 7
    covers = ("S1-B2.1", "S1-B2.2", "S1-B2.3", "S1-B2.4", "S4-B2.2", "S4-B6.1")
    task = (
        "It ran in the notebook where it was written; in a new session it does not. Make it "
        "need nothing but its arguments (torch, nn, "
        "F and math are imported). `x` is `(b, n)`, `encoder` and `decoder` are functions, "
        "`codebook` is `(k, d)`. Return the loss, "
        "mean squared error plus codebook term plus 0.25 times commitment, and the share of "
        "the k codes that are used."
    )
    starter = """
def vq_step(x, encoder, codebook, decoder):  # -> (scalar, float)
    z_e = model_e(x)
    indices = torch.cdist(z_e, model_q.weight).argmin(1)
    z_q = model_q.weight[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = latent_loss()
    used = torch.bincount(indices, minlength=num_codes).gt(0).float().mean()
    return F.mse_loss(x_hat, x) + latent, used.item()
"""
    bug = "name 'model_e' is not defined"
    hints = (
        "Which names in it are neither arguments, nor assigned inside, nor imported? A new "
        "kernel finds them one at a time.",
        "Each of them stands for something that the arguments already hold. num_codes, too.",
        "z_e = encoder(x); z_q = codebook[indices]; minlength=len(codebook); the latent loss "
        "written out from z_e and z_q.",
    )

    def reference(x, encoder, codebook, decoder):
        z_e = encoder(x)
        indices = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[indices]
        x_hat = decoder(z_e + (z_q - z_e).detach())
        latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
        used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
        return F.mse_loss(x_hat, x) + latent, used.item()

    def another(x, encoder, codebook, decoder):
        def square(a, b):
            return (a - b).pow(2).mean()

        z_e = encoder(x)
        k = (z_e[:, None] - codebook).pow(2).sum(2).argmin(1)
        z_q = F.embedding(k, codebook)
        loss = (
            square(decoder(z_q.detach() + z_e - z_e.detach()), x)
            + square(z_q, z_e.detach())
            + square(z_e, z_q.detach()) / 4
        )
        return loss, len(set(k.tolist())) / codebook.shape[0]

    def check(t, vq_step):
        w, v, start = t.randn(4, 3), t.randn(3, 4), t.randn(9, 3)
        x, a, codebook = (
            t.randn(5, 4),
            torch.tensor(1.2, requires_grad=True),
            start.clone().requires_grad_(),
        )
        vq_step = _fresh(vq_step)
        try:
            out = t.call(vq_step, x, lambda x: a * (x @ w), codebook, lambda z: z @ v)
        except Crashed as e:
            if not isinstance(e.cause, NameError):
                raise
            t.refuse(
                "it needs nothing but its arguments and torch, nn, F, math",
                str(e.cause),
                "a run from a fresh session",
                because=(
                    "a name from another cell; use what the arguments hold, and keep "
                    "helpers inside the function"
                ),
            )
        t.true(
            "it returns (loss, share)",
            isinstance(out, (tuple, list)) and len(out) == 2,
            out,
            "two things",
        )
        z_e = 1.2 * x @ w
        k = (z_e[:, None] - start).square().sum(2).argmin(1)
        z_q = start[k]
        gap, rec = (z_q - z_e).square().mean().item(), (z_q @ v - x).square().mean().item()
        t.near(
            "share of used codes",
            float(out[1]),
            len(set(k.tolist())) / 9,
            1e-6,
            given=f"9 codes, chosen: {k.tolist()}",
            because=(
                "of all k = len(codebook) codes, not of a number that was once right, nor "
                "of the largest index"
            ),
        )
        t.near(
            "value of the loss",
            out[0],
            rec + 1.25 * gap,
            1e-4 * (1 + rec),
            given="error + codebook term + 0.25 commitment",
        )
        t.true("the share is a float", isinstance(out[1], float), type(out[1]).__name__, "float")
        t.true(
            "the loss is a tensor with a gradient",
            isinstance(out[0], torch.Tensor) and out[0].requires_grad,
            out[0],
            "requires_grad",
            because=".item() leaves nothing to back-propagate",
        )
        out[0].backward()
        rows = torch.zeros(9, 3).index_add_(0, k, 2 * (z_q - z_e) / 15)
        t.equal(
            "the codebook term moves the codes",
            codebook.grad,
            rows,
            atol=1e-4,
            because="detach z_e in the codebook term, and z_q in the commitment term",
        )
        pull = ((2 * (z_q @ v - x) / 20 @ v.T + 0.25 * 2 * (z_e - z_q) / 15) * (x @ w)).sum()
        t.near(
            "error and commitment move the encoder",
            a.grad,
            pull.item(),
            1e-3 * (1 + pull.abs().item()),
            because="straight-through for the error, and the commitment term",
        )
        x, book = t.randn(4, 3), torch.tensor([[0.0, 0.0, 0.0], [99.0, 99.0, 99.0]])
        share = t.call(vq_step, x, lambda x: x, book, lambda z: z)[1]
        t.near(
            "the share is of this codebook's codes", float(share), 0.5, 1e-6, given="1 code of 2"
        )

    @wrong("the share is a float")
    def share_as_a_tensor(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        loss = F.mse_loss(decoder(codebook[k]), x) + 1.25 * F.mse_loss(codebook[k], z_e)
        return loss, torch.bincount(k, minlength=len(codebook)).gt(0).float().mean()

    @wrong("the loss is a tensor with a gradient")
    def loss_as_a_number(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        loss = F.mse_loss(decoder(codebook[k]), x) + 1.25 * F.mse_loss(codebook[k], z_e)
        return loss.item(), len(k.unique()) / len(codebook)

    @wrong("name 'num_codes' is not defined")
    def one_left(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[k]
        loss = F.mse_loss(decoder(z_q), x) + F.mse_loss(z_q, z_e)
        return loss, torch.bincount(k, minlength=num_codes).gt(0).float().mean().item()  # noqa: F821

    @wrong("name '_latent' is not defined")
    def helper_of_another_cell(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[k]
        return F.mse_loss(decoder(z_e + (z_q - z_e).detach()), x) + _latent(
            z_e, z_q
        ), k.unique().numel() / len(codebook)

    @wrong("share of used codes")
    def old_number(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[k]
        return F.mse_loss(decoder(z_q), x), torch.bincount(k, minlength=512).gt(
            0
        ).float().mean().item()

    @wrong("share of used codes")
    def largest_index(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[k]
        return F.mse_loss(decoder(z_q), x), torch.bincount(k).gt(0).float().mean().item()

    @wrong("value of the loss")
    def no_latent(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[k]
        return F.mse_loss(decoder(z_e + (z_q - z_e).detach()), x), k.unique().numel() / len(
            codebook
        )

    @wrong("moves the codes")
    def no_detach(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[k]
        loss = F.mse_loss(decoder(z_e + (z_q - z_e).detach()), x) + 1.25 * F.mse_loss(z_q, z_e)
        return loss, k.unique().numel() / len(codebook)

    @wrong("move the encoder")
    def no_straight_through(x, encoder, codebook, decoder):
        z_e = encoder(x)
        k = torch.cdist(z_e, codebook).argmin(1)
        z_q = codebook[k]
        latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
        return F.mse_loss(decoder(z_q.detach()), x) + latent, k.unique().numel() / len(codebook)


def _latent(z_e, z_q):
    "Stands in another cell than the function that needs it."
    return F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())


class Noise(Exercise):
    "Whose noise, on which machine?"

    id, kind = "vqgan.noise", "bug"
    difficulty, importance, minutes = 2, 3, 6
    covers = ("S4-B6.2", "S4-B6.5", "S4-B6.7", "S4-C3")
    task = (
        "The loop of a plain GAN, as a baseline. `batches` yields real images on the CPU. For "
        "each: `discriminator_step(x, z)`, then "
        "`generator_step(z)`; x on `device`, and for each of the two a new standard normal z "
        "`(b, d)` on `device`, one row per image "
        "of this batch. Return the number of real images seen. As written it stops at once; "
        "drawing z above the loop hides the fault."
    )
    starter = """
def gan_epoch(batches, d, device, discriminator_step, generator_step):  # -> int
    seen = 0
    for x in batches:
        discriminator_step(x, z)
        z = torch.randn(len(x), d)
        generator_step(z)
        seen += len(x)
    return seen
"""
    bug = "'z'"
    hints = (
        "Print the z of each of the two steps, over two batches. Which of them are the same?",
        "Each step draws its own, as many rows as this batch has; the last batch may be short. "
        "And where does x live?",
        "x = x.to(device); discriminator_step(x, torch.randn(len(x), d, device=device)); "
        "generator_step(torch.randn(len(x), d, device=device))",
    )

    def reference(batches, d, device, discriminator_step, generator_step):
        seen = 0
        for x in batches:
            x = x.to(device)
            discriminator_step(x, torch.randn(len(x), d, device=device))
            generator_step(torch.randn(len(x), d, device=device))
            seen += len(x)
        return seen

    def another(batches, d, device, discriminator_step, generator_step):
        def draw(x):
            return torch.empty(len(x), d).normal_().to(device)

        def one(x):
            discriminator_step(x.to(device), draw(x))
            generator_step(draw(x))
            return len(x)

        return sum(map(one, batches))

    def check(t, gan_epoch):
        data = [t.randn(b, 1, 4, 4) for b in (6, 6, 5)]

        def run(device, d=50):
            calls = []
            got = t.call(
                gan_epoch,
                iter(data),
                d,
                device,
                lambda x, z: calls.append(("discriminator", x, z)),
                lambda z: calls.append(("generator", None, z)),
            )
            return got, calls

        got, calls = run("cpu")
        t.equal(
            "discriminator and generator step in turn",
            [c[0] for c in calls],
            ["discriminator", "generator"] * 3,
            given="three batches",
        )
        shown = all(torch.equal(c[1], x) for c, x in zip(calls[::2], data))
        t.true(
            "the discriminator sees each batch of real images",
            shown,
            "others",
            "the batches in order",
        )
        for (who, _, z), n in zip(calls, (6, 6, 6, 6, 5, 5)):
            t.shape(
                "one row of noise for each image of this batch",
                z,
                (n, 50),
                given=f"batches of 6, 6 and 5; the {who}'s step",
                because="the last batch may be short: use len(x)",
            )
        zs = [c[2] for c in calls]
        first = F.normalize(torch.stack([z[0] for z in zs]), dim=1)
        like = (first @ first.T).abs() > 0.95  # the same row, or its negative
        same = [(i, j) for i in range(6) for j in range(i) if like[i, j]]
        t.true(
            "no noise is used twice",
            not same,
            f"steps {same[0][1] + 1} and {same[0][0] + 1} share it" if same else "",
            "six draws",
            because=("it would judge the very images that the generator was just corrected on"),
        )
        z = torch.cat(zs)
        t.true(
            "standard normal noise",
            abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.1,
            f"mean {z.mean():.2f}, std {z.std():.2f}",
            "mean 0, std 1",
            given=f"{z.numel()} numbers",
        )
        t.equal("it counts the real images", got, 17, given="6 + 6 + 5")
        _, calls = run("meta")  # a device without memory: shows a mix-up on any machine
        t.equal(
            "the real images are on the device of the model",
            [c[1].device.type for c in calls[::2]],
            ["meta"] * 3,
            given="device 'meta'",
            because="x.to(device); .to of a tensor returns a new one",
        )
        t.equal(
            "the noise is on the device of the model",
            [c[2].device.type for c in calls],
            ["meta"] * 6,
            given="device 'meta'",
        )
        t.true(
            "each row is a draw of its own",
            all((z[1:] - z[:1]).abs().amax(1).min() > 0.1 for z in zs),
            "equal rows",
            "another row for each image",
        )
        t.near(
            "one number of the noise in 22 lies beyond 2",
            (z.abs() > 2).double().mean().item(),
            0.0455,
            0.02,
            because="a uniform draw of the same mean and variance has no tails",
        )
        t.shape("the noise is d wide", run("cpu", 3)[1][0][2], (6, 3), given="d = 3")

    @wrong("no noise is used twice")
    def the_negative(batches, d, device, discriminator_step, generator_step):
        seen = 0
        for x in batches:
            z = torch.randn(len(x), d, device=device)
            discriminator_step(x.to(device), z)
            generator_step(-z)
            seen += len(x)
        return seen

    @wrong("no noise is used twice")
    def drawn_above(batches, d, device, discriminator_step, generator_step):
        z, seen = torch.randn(6, d, device=device), 0
        for x in batches:
            discriminator_step(x.to(device), z[: len(x)])
            z = torch.randn(len(x), d, device=device)
            generator_step(z)
            seen += len(x)
        return seen

    @wrong("no noise is used twice")
    def shared_by_both(batches, d, device, discriminator_step, generator_step):
        seen = 0
        for x in batches:
            z = torch.randn(len(x), d, device=device)
            discriminator_step(x.to(device), z)
            generator_step(z)
            seen += len(x)
        return seen

    @wrong("one row of noise for each image")
    def fixed_size(batches, d, device, discriminator_step, generator_step):
        seen = 0
        for x in batches:
            discriminator_step(x.to(device), torch.randn(6, d, device=device))
            generator_step(torch.randn(6, d, device=device))
            seen += len(x)
        return seen

    @wrong("the real images are on the device")
    def real_left_behind(batches, d, device, discriminator_step, generator_step):
        seen = 0
        for x in batches:
            x.to(device)
            discriminator_step(x, torch.randn(len(x), d, device=device))
            generator_step(torch.randn(len(x), d, device=device))
            seen += len(x)
        return seen

    @wrong("the noise is on the device")
    def noise_left_behind(batches, d, device, discriminator_step, generator_step):
        seen = 0
        for x in batches:
            discriminator_step(x.to(device), torch.randn(len(x), d))
            generator_step(torch.randn(len(x), d))
            seen += len(x)
        return seen

    @wrong("standard normal")
    def uniform(batches, d, device, discriminator_step, generator_step):
        draw, seen = lambda x: torch.rand(len(x), d, device=device), 0
        for x in batches:
            discriminator_step(x.to(device), draw(x))
            generator_step(draw(x))
            seen += len(x)
        return seen

    @wrong("counts the real images")
    def counts_batches(batches, d, device, discriminator_step, generator_step):
        draw, seen = lambda x: torch.randn(len(x), d, device=device), 0
        for x in batches:
            discriminator_step(x.to(device), draw(x))
            generator_step(draw(x))
            seen += 1
        return seen

    @wrong("step in turn")
    def one_phase_each(batches, d, device, discriminator_step, generator_step):
        batches, draw = list(batches), lambda x: torch.randn(len(x), d, device=device)
        for x in batches:
            discriminator_step(x.to(device), draw(x))
        for x in batches:
            generator_step(draw(x))
        return sum(map(len, batches))

    @wrong("each row is a draw of its own")
    def one_row(batches, d, device, discriminator_step, generator_step):
        seen = 0
        for x in batches:
            discriminator_step(x.to(device), torch.randn(1, d, device=device).expand(len(x), d))
            generator_step(torch.randn(1, d, device=device).expand(len(x), d))
            seen += len(x)
        return seen


class _Features(nn.Module):
    "A feature network as a perceptual loss may be given: batch norm, dropout, two maps."

    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.LeakyReLU(0.3))
        self.b = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(4, 5, 3, stride=2, padding=1))

    def forward(self, x):
        h = self.a(x)
        return [h, self.b(h)]


class Perceptual(Exercise):
    "The judge who learns and forgets"

    id, kind = "vqgan.perceptual", "bug"
    difficulty, importance, minutes = 3, 5, 8
    covers = ("S1-B2.14", "S4-B6.6", "S1-F17")
    task = (
        "A perceptual loss over the maps that `features(images)` gives: for each map the "
        "vectors at all places are brought to length "
        "1, and their squared distances averaged over batch and places; maps are added. The "
        "yardstick must not move: the same value in "
        "training and evaluation, no gradient for its weights, no change of its statistics. "
        "x_hat does get a gradient, and `.double()` "
        "or `.to()` reach all of it."
    )
    starter = """
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval()

    def forward(self, x_hat, x):  # (b, 1, h, w) twice -> scalar
        maps = zip(self.features(x_hat), self.features(x))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )
"""
    bug = "the same value in training"
    hints = (
        "The whole model is put into training mode with .train(). What does that do to the "
        "modules inside?",
        "Keep the network in eval mode whatever its parents do, and freeze the weights: but do "
        "not cut the path to x_hat, as "
        "no_grad would.",
        "features.requires_grad_(False) in __init__; and def train(self, mode=True): "
        "super().train(mode); self.features.eval(); "
        "return self",
    )

    class reference(nn.Module):
        def __init__(self, features):
            super().__init__()
            self.features = features.eval().requires_grad_(False)

        def train(self, mode=True):
            super().train(mode)
            self.features.eval()
            return self

        def forward(self, x_hat, x):
            maps = zip(self.features(x_hat), self.features(x))
            return sum(
                (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean()
                for a, b in maps
            )

    class another(nn.Module):
        def __init__(self, features):
            super().__init__()
            self.features = features

        def forward(self, x_hat, x):
            held = {k: v.detach() for k, v in self.features.state_dict(keep_vars=True).items()}

            def look(x):
                return torch.func.functional_call(self.features.eval(), held, (x,))

            return sum(
                2 - 2 * F.cosine_similarity(a, b, dim=1).mean()
                for a, b in zip(look(x_hat), look(x))
            )

    def check(t, make):
        torch.manual_seed(8)
        features = _Features()
        features.a[1].running_mean.normal_()
        spare, twin = copy.deepcopy(features), copy.deepcopy(features).eval()
        x, made = t.randn(3, 1, 6, 6), t.randn(3, 1, 6, 6).requires_grad_()

        def unit(m):
            return m / m.square().sum(1, keepdim=True).sqrt()

        want = sum((unit(a) - unit(b)).square().sum(1).mean() for a, b in zip(twin(made), twin(x)))
        loss, born = t.call(make, features), t.call(make, spare)
        t.near(
            "value in evaluation",
            t.call(loss.eval(), made, x),
            want.item(),
            1e-4,
            given="two maps, 3 images",
            because=(
                "vectors along the channel axis to length 1; sum over channels, mean over "
                "batch and places; maps added"
            ),
        )
        t.near("equal images have distance 0", t.call(loss, x, x), 0.0, 1e-5)
        t.near(
            "the same value as it is built",
            t.call(born, made, x),
            want.item(),
            1e-4,
            given="neither train() nor eval() was called",
            because=(
                "a module is born in training mode: put the features into evaluation mode yourself"
            ),
        )
        nn.ModuleList(
            [loss]
        ).train()  # what a training loop does with the model that holds the loss
        first, again = (t.call(loss, made, x) for _ in range(2))
        t.equal(
            "the same value in training",
            [first.item(), again.item()],
            [want.item()] * 2,
            atol=1e-4,
            given="after parent.train()",
            because=(
                "train() reaches every module inside: dropout is on again, and batch norm "
                "uses the batch and moves its statistics"
            ),
        )
        t.true(
            "x_hat gets a gradient",
            first.requires_grad,
            "none",
            "a gradient",
            because="no_grad or detach around the features of x_hat "
            "leaves a number that trains nobody",
        )
        first.backward()
        t.equal(
            "the gradient at x_hat is that of the distance",
            made.grad,
            torch.autograd.grad(want, made)[0],
            atol=1e-4,
        )
        trained = [
            n
            for n, p in [*features.named_parameters(), *loss.named_parameters()]
            if p.grad is not None
        ]
        t.true(
            "no gradient for the weights",
            not trained,
            f"gradients in {trained[:3]}",
            "none",
            because=(
                "an optimizer over the whole model would bend the yardstick until "
                "everything is equal"
            ),
        )
        wide = t.call(loss.double(), made.detach().double(), x.double())
        t.near(
            "double() and to() reach it",
            wide,
            want.item(),
            1e-4,
            because="a network hidden from the module stays where it was",
        )

    @wrong("the same value in training")
    def frozen_not_eval(features):
        class Loss(Perceptual.unsolved()):
            def __init__(self):
                super().__init__(features.requires_grad_(False))

        return Loss()

    @wrong("no gradient for the weights")
    def eval_not_frozen(features):
        class Loss(Perceptual.unsolved()):
            def train(self, mode=True):
                super().train(mode)
                self.features.eval()
                return self

        return Loss(features)

    @wrong("x_hat gets a gradient")
    def under_no_grad(features):
        class Loss(Perceptual.reference):
            def forward(self, x_hat, x):
                with torch.no_grad():
                    return super().forward(x_hat, x)

        return Loss(features)

    @wrong("double() and to() reach it")
    def hidden_in_a_list(features):
        class Loss(nn.Module):
            def __init__(self):
                super().__init__()
                self.held = [features.eval().requires_grad_(False)]

            def forward(self, x_hat, x):
                maps = zip(self.held[0](x_hat.float()), self.held[0](x.float()))
                out = sum(
                    (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean()
                    for a, b in maps
                )
                return (
                    out if x.dtype == next(self.held[0].parameters()).dtype else out * float("nan")
                )

        return Loss()

    @wrong("value in evaluation")
    def not_normalised(features):
        class Loss(Perceptual.reference):
            def forward(self, x_hat, x):
                return sum(
                    (a - b).square().sum(1).mean()
                    for a, b in zip(self.features(x_hat), self.features(x))
                )

        return Loss(features)

    @wrong("value in evaluation")
    def mean_of_channels(features):
        class Loss(Perceptual.reference):
            def forward(self, x_hat, x):
                maps = zip(self.features(x_hat), self.features(x))
                return sum(
                    (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().mean() for a, b in maps
                )

        return Loss(features)

    @wrong("value in evaluation")
    def last_map_only(features):
        class Loss(Perceptual.reference):
            def forward(self, x_hat, x):
                a, b = self.features(x_hat)[-1], self.features(x)[-1]
                return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean()

        return Loss(features)

    @wrong("the same value in training")
    def dropout_off_only(features):
        class Loss(Perceptual.reference):
            def train(self, mode=True):
                nn.Module.train(self, mode)
                self.features.b.eval()
                return self

        return Loss(features)


class _TwoLogits(nn.Module):
    "A discriminator whose map of logits is 1 x 2."

    def __init__(self, w, v):
        super().__init__()
        self.w, self.v = nn.Parameter(w), nn.Parameter(v)

    def forward(self, x):  # (b, c, h, w) -> (b, 1, 1, 2)
        logits = [(self.w * x * x).sum((1, 2, 3)), (self.v * x).sum((1, 2, 3))]
        return torch.stack(logits, 1)[:, None, None]


class R1(Exercise):
    "A flat discriminator where the data are"

    id = "vqgan.r1"
    difficulty, importance, minutes = 3, 4, 8
    covers = ("S4-F13",)
    task = (
        "The R1 penalty: `gamma` / 2 times the mean over the real images `x` of the squared "
        "norm of the gradient of the discriminator's "
        "output at the image; the output of a discriminator of patches is the sum of an image's "
        "logits. It must train the discriminator, and leave "
        "`x` as it was: no requires_grad, no .grad."
    )
    starter = """
def r1_penalty(discriminator, x, gamma=10.0):  # module, (b, c, h, w) -> scalar
    ...
"""
    hints = (
        "Of one image the gradient is as large as the image. How do you get those of all "
        "images with one call?",
        "No image touches another's logits, so the gradient of the sum over the batch holds "
        "each image's own. Square, sum over all "
        "axes but the first, mean over the batch.",
        "x = x.detach().clone().requires_grad_(); g, = "
        "torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)",
    )

    def reference(discriminator, x, gamma=10.0):
        x = x.detach().clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gamma / 2 * g.square().flatten(1).sum(1).mean()

    def another(discriminator, x, gamma=10.0):
        total = 0.0
        for image in x.detach():
            one = image[None].clone().requires_grad_()
            g = torch.autograd.grad(discriminator(one).sum(), one, create_graph=True)[0]
            total = total + (g * g).sum()
        return total * gamma / (2 * len(x))

    def another2(discriminator, x, gamma=10.0):
        grads = torch.func.vmap(torch.func.grad(lambda image: discriminator(image[None]).sum()))(x)
        return 0.5 * gamma * grads.pow(2).sum() / x.shape[0]

    def check(t, r1_penalty):
        discriminator = _TwoLogits(t.randn(2, 3, 3), t.randn(2, 3, 3))
        w, v = discriminator.parameters()
        x = t.randn(5, 2, 3, 3)
        slope = (2 * w * x + v).detach()  # gradient of the sum of both logits at each image
        want = slope.square().sum((1, 2, 3)).mean()
        got = t.call(r1_penalty, discriminator, x, 3.0)
        t.true(
            "x is left as it was",
            not x.requires_grad and x.grad is None,
            "x now has requires_grad or .grad",
            "neither",
            because="requires_grad_() on the caller's tensor: take a detached copy",
        )
        t.near(
            "half of gamma times the mean squared norm",
            got,
            1.5 * want.item(),
            1e-3,
            given="5 images, 2 logits each, gamma 3",
            because="norm squared, not the norm, not its distance from 1; summed over pixels, "
            "averaged over images; gradient of the "
            "sum, for that of the mean is 5 or 10 times smaller",
        )
        t.near(
            "gamma is 10 unless given", t.call(r1_penalty, discriminator, x), 5 * want.item(), 1e-2
        )
        t.true(
            "the penalty has a gradient",
            isinstance(got, torch.Tensor) and got.requires_grad,
            "none",
            "one for the discriminator",
            because="create_graph=True",
        )
        dw, dv = torch.autograd.grad(got, [w, v], allow_unused=True)
        t.equal(
            "it trains the discriminator",
            [dw, dv],
            [1.5 * 4 * (slope * x).mean(0), 1.5 * 2 * slope.mean(0)],
            atol=1e-3,
            because=(
                "the gradient of a gradient: keep the graph of the first one, and detach "
                "nothing of it"
            ),
        )

    @wrong("the penalty has a gradient")
    def a_number(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        slope = torch.autograd.grad(discriminator(x).sum(), x)[0]
        return gamma / 2 * slope.square().sum().item() / len(x)

    @wrong("the penalty has a gradient")
    def no_graph(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x)
        return gamma / 2 * g.square().flatten(1).sum(1).mean()

    @wrong("half of gamma times")
    def of_the_mean(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).mean(), x, create_graph=True)
        return gamma / 2 * g.square().flatten(1).sum(1).mean()

    @wrong("half of gamma times")
    def mean_of_pixels(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gamma / 2 * g.square().mean()

    @wrong("half of gamma times")
    def towards_one(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gamma / 2 * (g.flatten(1).norm(dim=1) - 1).square().mean()

    @wrong("half of gamma times")
    def not_squared(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gamma / 2 * g.flatten(1).norm(dim=1).mean()

    @wrong("half of gamma times")
    def no_half(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gamma * g.square().flatten(1).sum(1).mean()

    @wrong("x is left as it was")
    def marks_x(discriminator, x, gamma=10.0):
        x.requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gamma / 2 * g.square().flatten(1).sum(1).mean()

    @wrong("gamma is 10 unless given")
    def other_default(discriminator, x, gamma=1.0):
        return R1.reference(discriminator, x, gamma)

    @wrong("it trains the discriminator")
    def half_detached(discriminator, x, gamma=10.0):
        x = x.clone().requires_grad_()
        (g,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
        return gamma / 2 * (g * g.detach()).flatten(1).sum(1).mean()
