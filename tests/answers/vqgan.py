"Answers to the exercises of the VQ-GAN, right ones in unusual forms and wrong ones."

import copy
import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


# exercise: vqgan.critic_loss
# right: two calls
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# right: binary cross-entropy with logits
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    bce = F.binary_cross_entropy_with_logits
    return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))


# right: logsigmoid, the fakes first
def discriminator_loss(x, x_hat, discriminator):
    with torch.no_grad():
        made = x_hat.clone()
    loss = -F.logsigmoid(-discriminator(made)).mean()
    return loss - F.logsigmoid(discriminator(x)).mean()


# right: logaddexp
def discriminator_loss(x, x_hat, discriminator):
    def one(images, sign):
        logits = sign * discriminator(images)
        return torch.logaddexp(logits, torch.zeros_like(logits)).sum() / logits.numel()

    return one(x, -1) + one(x_hat.data, 1)


# right: a loop over both kinds
def discriminator_loss(x, x_hat, discriminator):
    total = 0
    for images, target in ((x, 1), (x_hat.detach(), 0)):
        logits = discriminator(images)
        total = total + F.softplus(logits * (1 - 2 * target)).mean()
    return total


# right: float64 by hand
def discriminator_loss(x, x_hat, discriminator):
    def plus(v):
        v = v.double()
        return (v.clamp(min=0) + torch.log1p(torch.exp(-v.abs()))).mean()

    return (plus(-discriminator(x)) + plus(discriminator(x_hat.detach()))).float()


# wrong: x_hat not detached
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: one call for both
def discriminator_loss(x, x_hat, discriminator):
    logits = discriminator(torch.cat([x, x_hat.detach()]))
    real, fake = logits[: len(x)], logits[len(x) :]
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: black images for fakes
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(torch.zeros_like(x_hat))
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: noise for fakes
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(torch.randn_like(x_hat))
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: real images for both
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: kinds exchanged
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(real).mean() + F.softplus(-fake).mean()


# wrong: both called real
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).mean() + F.softplus(-fake).mean()


# wrong: hinge
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean()


# wrong: least squares
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return (real - 1).square().mean() + fake.square().mean()


# wrong: half
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2


# wrong: sums
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).sum() + F.softplus(fake).sum()


# wrong: sum over the map, mean over images
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).flatten(1).sum(1).mean() + F.softplus(fake).flatten(1).sum(1).mean()


# wrong: softplus of the mean
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real.mean()) + F.softplus(fake.mean())


# wrong: softplus of each image's mean
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real.flatten(1).mean(1)).mean() + F.softplus(fake.flatten(1).mean(1)).mean()


# wrong: only real
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).mean()


# wrong: only fake
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(fake).mean()


# wrong: the difference
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).mean() - F.softplus(fake).mean()


# wrong: the logits of fakes detached
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat).detach()
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: the logits of real detached
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x).detach()
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: fakes without gradient at all
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    with torch.no_grad():
        fake = discriminator(x_hat)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: a sigmoid in between
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real.sigmoid()).mean() + F.softplus(fake.sigmoid()).mean()


# wrong: probabilities' logarithms
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return (-real).sigmoid().log().mean() + fake.sigmoid().log().mean()


# wrong: discriminator of the discriminator
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(discriminator(x))
    fake = discriminator(discriminator(x_hat.detach()))
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: Wasserstein
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return -real.mean() + fake.mean()


# wrong: a pair of losses
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(-real).mean(), F.softplus(fake).mean()


# wrong: a number
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return (F.softplus(-real).mean() + F.softplus(fake).mean()).item()


# wrong: relativistic
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach())
    return F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()


# wrong: the residual shown
def discriminator_loss(x, x_hat, discriminator):
    real = discriminator(x)
    fake = discriminator(x_hat.detach() - x)
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# exercise: vqgan.logits
# right: softplus
def logistic_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(-fake).mean()


# right: binary cross-entropy with logits
def logistic_losses(real, fake):
    bce = F.binary_cross_entropy_with_logits
    loss_d = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    return loss_d, bce(fake, torch.ones_like(fake))


# right: logsigmoid
def logistic_losses(real, fake):
    loss_d = -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()
    return loss_d, F.logsigmoid(fake).mean().neg()


# right: logaddexp
def logistic_losses(real, fake):
    def bent(v):
        return torch.logaddexp(v, torch.zeros_like(v)).mean()

    return bent(-real) + bent(fake), bent(-fake)


# right: one from the other
def logistic_losses(real, fake):
    plus = F.softplus(fake)
    loss_d = F.softplus(real).mean() - real.mean() + plus.mean()
    return loss_d, (plus - fake).mean()


# right: logsumexp
def logistic_losses(real, fake):
    def pair(v):
        return torch.logsumexp(torch.stack([torch.zeros_like(v), v]), 0)

    return pair(-real).mean() + pair(fake).mean(), pair(-fake).mean()


# right: float64 and log1p
def logistic_losses(real, fake):
    def plus(v):
        v = v.double()
        return (v.clamp(min=0) + torch.log1p(torch.exp(-v.abs()))).sum() / v.numel()

    loss_d, loss_g = plus(-real) + plus(fake), plus(-fake)
    return loss_d.to(real.dtype), loss_g.to(real.dtype)


# wrong: probabilities clamped
def logistic_losses(real, fake):
    p, q = (v.sigmoid().clamp(1e-6, 1 - 1e-6) for v in (real, fake))
    return -p.log().mean() - (1 - q).log().mean(), -q.log().mean()


# wrong: an eps in the logarithm
def logistic_losses(real, fake):
    p, q = real.sigmoid(), fake.sigmoid()
    eps = 1e-8
    loss_d = -(p + eps).log().mean() - (1 - q + eps).log().mean()
    return loss_d, -(q + eps).log().mean()


# wrong: cross-entropy of probabilities
def logistic_losses(real, fake):
    p, q = real.sigmoid(), fake.sigmoid()
    bce = F.binary_cross_entropy
    loss_d = bce(p, torch.ones_like(p)) + bce(q, torch.zeros_like(q))
    return loss_d, bce(q, torch.ones_like(q))


# wrong: log of sigmoid
def logistic_losses(real, fake):
    loss_g = -fake.sigmoid().log().mean()
    return -real.sigmoid().log().mean() - (-fake).sigmoid().log().mean(), loss_g


# wrong: float64 probabilities
def logistic_losses(real, fake):
    p, q = real.double().sigmoid(), fake.double().sigmoid()
    loss_d = -p.log().mean() - (1 - q).log().mean()
    return loss_d.float(), -q.log().mean().float()


# wrong: log(1 + exp)
def logistic_losses(real, fake):
    def plus(v):
        return (1 + v.exp()).log().mean()

    return plus(-real) + plus(fake), plus(-fake)


# wrong: logits clamped
def logistic_losses(real, fake):
    real, fake = real.clamp(-50, 50), fake.clamp(-50, 50)
    return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(-fake).mean()


# wrong: saturating
def logistic_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean(), -F.softplus(fake).mean()


# wrong: the generator wants 0
def logistic_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(fake).mean()


# wrong: targets exchanged
def logistic_losses(real, fake):
    return F.softplus(real).mean() + F.softplus(-fake).mean(), F.softplus(-fake).mean()


# wrong: generator first
def logistic_losses(real, fake):
    return F.softplus(-fake).mean(), F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: half for the discriminator
def logistic_losses(real, fake):
    loss_d = (F.softplus(-real).mean() + F.softplus(fake).mean()) / 2
    return loss_d, F.softplus(-fake).mean()


# wrong: one mean over both
def logistic_losses(real, fake):
    both = torch.cat([F.softplus(-real).flatten(), F.softplus(fake).flatten()])
    return both.mean(), F.softplus(-fake).mean()


# wrong: sums
def logistic_losses(real, fake):
    return F.softplus(-real).sum() + F.softplus(fake).sum(), F.softplus(-fake).sum()


# wrong: sign of the generator
def logistic_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean(), -F.softplus(-fake).mean()


# wrong: the generator counts the real too
def logistic_losses(real, fake):
    loss_d = F.softplus(-real).mean() + F.softplus(fake).mean()
    return loss_d, F.softplus(-fake).mean() + F.softplus(real).mean()


# wrong: generator's hinge
def logistic_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean(), -fake.mean()


# wrong: hinge
def logistic_losses(real, fake):
    return F.relu(1 - real).mean() + F.relu(1 + fake).mean(), F.relu(1 - fake).mean()


# wrong: smooth labels
def logistic_losses(real, fake):
    bce = F.binary_cross_entropy_with_logits
    loss_d = bce(real, torch.full_like(real, 0.9)) + bce(fake, torch.zeros_like(fake))
    return loss_d, bce(fake, torch.ones_like(fake))


# wrong: fakes detached
def logistic_losses(real, fake):
    loss_d = F.softplus(-real).mean() + F.softplus(fake.detach()).mean()
    return loss_d, F.softplus(-fake.detach()).mean()


# wrong: softplus of the means
def logistic_losses(real, fake):
    return F.softplus(-real.mean()) + F.softplus(fake.mean()), F.softplus(-fake.mean())


# wrong: logits scaled by ten
def logistic_losses(real, fake):
    real, fake = real / 10, fake / 10
    return F.softplus(-real).mean() + F.softplus(fake).mean(), F.softplus(-fake).mean()


# wrong: numbers
def logistic_losses(real, fake):
    loss_d = F.softplus(-real).mean() + F.softplus(fake).mean()
    return loss_d.item(), F.softplus(-fake).mean().item()


# wrong: only the discriminator's
def logistic_losses(real, fake):
    return F.softplus(-real).mean() + F.softplus(fake).mean()


# wrong: base 2
def logistic_losses(real, fake):
    k = math.log(2)
    loss_d = (F.softplus(-real).mean() + F.softplus(fake).mean()) / k
    return loss_d, F.softplus(-fake).mean() / k


# wrong: a sharp softplus
def logistic_losses(real, fake):
    loss_d = F.softplus(-real, beta=2).mean() + F.softplus(fake, beta=2).mean()
    return loss_d, F.softplus(-fake, beta=2).mean()


# wrong: a low threshold of softplus
def logistic_losses(real, fake):
    loss_d = F.softplus(-real, threshold=1).mean() + F.softplus(fake, threshold=1).mean()
    return loss_d, F.softplus(-fake, threshold=1).mean()


# wrong: infinities replaced
def logistic_losses(real, fake):
    p, q = real.sigmoid(), fake.sigmoid()
    loss_d = -torch.nan_to_num(p.log(), neginf=-100).mean()
    loss_d = loss_d - torch.nan_to_num((1 - q).log(), neginf=-100).mean()
    return loss_d, -torch.nan_to_num(q.log(), neginf=-100).mean()


# exercise: vqgan.losses
# right: three calls of the discriminator
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# right: l1_loss and clamp
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    adversarial = -discriminator(x_hat).mean()
    loss_g = F.l1_loss(x_hat, x) + perceptual(x_hat, x) + latent + adversarial * weight
    margin = (1 - discriminator(x)).clamp(min=0).mean()
    margin = margin + (discriminator(x_hat.data) + 1).clamp(min=0).mean()
    return loss_g, margin / 2


# right: sums over counts, the discriminator first
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    still = x_hat.clone().detach()
    parts = []
    for images, sign in ((x, -1), (still, 1)):
        logits = discriminator(images)
        parts.append(torch.maximum(1 + sign * logits, torch.zeros_like(logits)).mean())
    loss_d = sum(parts) / 2
    rec = torch.sum(torch.abs(x - x_hat)) / x.numel()
    loss_g = sum([rec, perceptual(x_hat, x), latent, -weight * discriminator(x_hat).mean()])
    return loss_g, loss_d


# right: hinge through the absolute value
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    def relu(v):
        return (v + v.abs()) / 2

    fooled = discriminator(x_hat).mean()
    loss_g = torch.abs(x_hat - x).mean() + perceptual(x_hat, x) + latent - fooled * weight
    still = x_hat.detach()
    return loss_g, relu(1 - discriminator(x)).mean() / 2 + relu(1 + discriminator(still)).mean() / 2


# right: tensordot of a row of terms
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    terms = torch.stack(
        [(x_hat - x).abs().mean(), perceptual(x_hat, x), latent, discriminator(x_hat).mean()]
    )
    loss_g = (terms * torch.tensor([1.0, 1.0, 1.0, -float(weight)])).sum()
    with torch.no_grad():
        still = x_hat + 0
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    return loss_g, loss_d.div(2)


# wrong: discriminator's share not detached
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat)
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: the same fake logits in both
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = fake
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: the same fake logits, detached
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = fake.detach()
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: the generator sees detached images
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat.detach())
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: not halved
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = F.relu(1 - real).mean() + F.relu(1 + made).mean()
    return loss_g, loss_d


# wrong: half of the first term
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * F.relu(1 - real).mean() + F.relu(1 + made).mean()
    return loss_g, loss_d


# wrong: discriminator first
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_d, loss_g


# wrong: latent subtracted
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) - latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: latent forgotten
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: latent detached
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (
        (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent.detach() - weight * fake.mean()
    )
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: latent weighted too
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + weight * (latent - fake.mean())
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: the logits added
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent + weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: weight ignored
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: weight on the reconstruction
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = weight * (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: weight also on the perceptual loss
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (
        (x_hat - x).abs().mean() + weight * perceptual(x_hat, x) + latent - weight * fake.mean()
    )
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: squared error
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).square().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: sum of errors
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().sum() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: perceptual loss the other way round
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x, x_hat) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: perceptual loss forgotten
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: perceptual loss of detached images
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (
        (x_hat - x).abs().mean() + perceptual(x_hat.detach(), x) + latent - weight * fake.mean()
    )
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: perceptual loss as the reconstruction
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: generator's margin
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (
        (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent + weight * F.relu(1 - fake).mean()
    )
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: softplus
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.softplus(-real).mean() + F.softplus(made).mean())
    return loss_g, loss_d


# wrong: real and made exchanged
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 + real).mean() + F.relu(1 - made).mean())
    return loss_g, loss_d


# wrong: hinge of the mean
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real.mean()) + F.relu(1 + made.mean()))
    return loss_g, loss_d


# wrong: no margin
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(-real).mean() + F.relu(made).mean())
    return loss_g, loss_d


# wrong: no relu
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * ((1 - real).mean() + (1 + made).mean())
    return loss_g, loss_d


# wrong: the discriminator weighted too
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * weight * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g, loss_d


# wrong: all in one
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g + loss_d, loss_g + loss_d


# wrong: numbers
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g.item(), loss_d.item()


# wrong: the discriminator's loss against the generator
def vqgan_losses(x, x_hat, perceptual, latent, discriminator, weight):
    fake = discriminator(x_hat)
    loss_g = (x_hat - x).abs().mean() + perceptual(x_hat, x) + latent - weight * fake.mean()
    real = discriminator(x)
    made = discriminator(x_hat.detach())
    loss_d = 0.5 * (F.relu(1 - real).mean() + F.relu(1 + made).mean())
    return loss_g - weight * loss_d, loss_d


# exercise: vqgan.turn
# right: detach, and zeroed late
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# right: gradients by autograd.grad
def turn(x, model, discriminator, lr):
    def step(loss, module):
        weights = [p for p in module.parameters() if p.requires_grad]
        slopes = torch.autograd.grad(loss, weights, allow_unused=True)
        with torch.no_grad():
            for p, g in zip(weights, slopes):
                if g is not None:
                    p -= lr * g

    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    step(loss_g, model)
    made = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(made)).mean()
    step(loss_d, discriminator)
    return float(loss_g), float(loss_d)


# right: both losses before the steps
def turn(x, model, discriminator, lr):
    x_hat, latent = model(x)
    loss_g = F.l1_loss(x_hat, x) + latent - discriminator(x_hat).mean()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat.detach())).mean()
    for module, loss in ((model, loss_g), (discriminator, loss_d)):
        for p in module.parameters():
            p.grad = None
        loss.backward(inputs=list(module.parameters()))
    with torch.no_grad():
        for module in (model, discriminator):
            for p in module.parameters():
                if p.grad is not None:
                    p.add_(p.grad, alpha=-lr)
    return loss_g.tolist(), loss_d.tolist()


# right: a frozen discriminator in the first half
def turn(x, model, discriminator, lr):
    weights = list(discriminator.parameters())
    for p in weights:
        p.requires_grad_(False)
    model.zero_grad()
    x_hat, latent = model(x)
    loss_g = (x - x_hat).abs().mean() + latent - discriminator(x_hat).mean()
    loss_g.backward()
    torch.optim.SGD(model.parameters(), lr=lr).step()
    for p in weights:
        p.requires_grad_(True)
    discriminator.zero_grad()
    real, fake = discriminator(x), discriminator(x_hat.detach())
    loss_d = (1 - real).clamp(min=0).mean() + (1 + fake).clamp(min=0).mean()
    loss_d.backward()
    torch.optim.SGD(weights, lr=lr).step()
    return loss_g.item(), loss_d.item()


# right: parts of the loss one after the other
def turn(x, model, discriminator, lr):
    opt_g, opt_d = (torch.optim.SGD(m.parameters(), lr) for m in (model, discriminator))
    opt_g.zero_grad(set_to_none=False)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    loss_g.backward()
    opt_g.step()
    opt_d.zero_grad(set_to_none=False)
    real = F.relu(1 - discriminator(x)).mean()
    real.backward()
    fake = F.relu(1 + discriminator(x_hat.detach())).mean()
    fake.backward()
    opt_d.step()
    return loss_g.item(), real.item() + fake.item()


# wrong: only the decoder
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.decoder.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: no codebook
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD([*model.encoder.parameters(), *model.decoder.parameters()], lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: no encoder
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD([p for n, p in model.named_parameters() if "encoder" not in n], lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: not detached
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: not detached, the graph kept
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward(retain_graph=True)
    opt_g.step()
    still = x_hat
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: images made anew after the step
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = model(x)[0].detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: the discriminator's gradients zeroed early
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    opt_d.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: the discriminator's gradients never zeroed
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: the model's gradients never zeroed
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: only the decoder's gradients zeroed
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    model.decoder.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: nothing zeroed
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: discriminator first
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    return loss_g.item(), loss_d.item()


# wrong: one optimizer for both
def turn(x, model, discriminator, lr):
    opt = torch.optim.SGD([*model.parameters(), *discriminator.parameters()], lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt.zero_grad()
    loss_g.backward()
    opt.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt.zero_grad()
    loss_d.backward()
    opt.step()
    return loss_g.item(), loss_d.item()


# wrong: one loss for both
def turn(x, model, discriminator, lr):
    opt = torch.optim.SGD([*model.parameters(), *discriminator.parameters()], lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt.zero_grad()
    (loss_g + loss_d).backward()
    opt.step()
    return loss_g.item(), loss_d.item()


# wrong: Adam
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.Adam(model.parameters(), lr)
    opt_d = torch.optim.Adam(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: momentum and decay
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr, momentum=0.9, weight_decay=0.1)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr, momentum=0.9, weight_decay=0.1)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: always 0.1
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), 0.1)
    opt_d = torch.optim.SGD(discriminator.parameters(), 0.1)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: half a hinge
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    loss_d = loss_d / 2
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: squared error
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).square().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: no latent loss
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: the generator sees detached images
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat.detach()).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: the logits added
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent + discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: real and made exchanged
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 + discriminator(x)).mean() + F.relu(1 - discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: tensors
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.detach(), loss_d.detach()


# wrong: discriminator's loss first
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_d.item(), loss_g.item()


# wrong: no step of the discriminator
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    return loss_g.item(), loss_d.item()


# wrong: no step of the autoencoder
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: two steps of the autoencoder
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: losses after the steps
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(x_hat)).mean()
    return loss_g.item(), loss_d.item()


# wrong: gradients cut to length 1
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt_g.step()
    still = x_hat.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# wrong: the discriminator sees the input twice
def turn(x, model, discriminator, lr):
    opt_g = torch.optim.SGD(model.parameters(), lr)
    opt_d = torch.optim.SGD(discriminator.parameters(), lr)
    x_hat, latent = model(x)
    loss_g = (x_hat - x).abs().mean() + latent - discriminator(x_hat).mean()
    opt_g.zero_grad()
    loss_g.backward()
    opt_g.step()
    still = x.detach()
    loss_d = F.relu(1 - discriminator(x)).mean() + F.relu(1 + discriminator(still)).mean()
    opt_d.zero_grad()
    loss_d.backward()
    opt_d.step()
    return loss_g.item(), loss_d.item()


# exercise: vqgan.adaptive_weight
# right: norms of both gradients
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=limit).detach()


# right: one loop, roots of sums
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    sizes = []
    for loss in (rec_loss, gan_loss):
        (slope,) = torch.autograd.grad(loss, [last], retain_graph=True)
        sizes.append(slope.square().sum().sqrt())
    return torch.clamp(sizes[0] / (sizes[1] + eps), max=limit)


# right: flattened, minimum
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    def size(loss):
        slope = torch.autograd.grad(loss, last, retain_graph=True, create_graph=False)[0]
        return torch.linalg.vector_norm(slope.flatten())

    ratio = size(rec_loss) / (size(gan_loss) + eps)
    return torch.minimum(ratio, torch.as_tensor(limit, dtype=ratio.dtype))


# right: Python numbers, a tensor in the end
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    top = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm().item()
    below = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm().item()
    return torch.tensor(min(top / (below + eps), limit))


# right: einsum, float64, under no_grad for the numbers
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    g = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].double().flatten()
    h = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].double().flatten()
    with torch.no_grad():
        w = torch.einsum("n,n->", g, g).sqrt() / (torch.einsum("n,n->", h, h).sqrt() + eps)
        return w.clamp_max(limit).to(last.dtype)


# right: create_graph, then detached
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, create_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, create_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: inverted
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (b / (a + eps)).clamp(max=limit).detach()


# wrong: no eps
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / b).clamp(max=limit).detach()


# wrong: eps above
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return ((a + eps) / b).clamp(max=limit).detach()


# wrong: eps in both
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return ((a + eps) / (b + eps)).clamp(max=limit).detach()


# wrong: eps as a floor
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / b.clamp(min=eps)).clamp(max=limit).detach()


# wrong: eps under the root
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b**2 + eps).sqrt()).clamp(max=limit).detach()


# wrong: eps always 1e-4
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + 1e-4)).clamp(max=limit).detach()


# wrong: eps 1e-6
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + 1e-6)).clamp(max=limit).detach()


# wrong: no limit
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).detach()


# wrong: limit always 1e4
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=1e4).detach()


# wrong: at most 1
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=1.0).detach()


# wrong: at least the limit
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).clamp(min=limit).detach()


# wrong: limit on the numerator
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a.clamp(max=limit) / (b + eps)).detach()


# wrong: times 0.8
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=limit).detach() * 0.8


# wrong: squared norms
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].square().sum()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].square().sum()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: absolute sums
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].abs().sum()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].abs().sum()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: largest entries
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].abs().max()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].abs().max()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: mean squares
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].square().mean().sqrt()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: norm of the norms of rows' means
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].mean(0).norm()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].mean(0).norm()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: root mean squares
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].square().mean().sqrt()
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].square().mean().sqrt()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: one norm per row
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].flatten(1).norm(dim=1)
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0].flatten(1).norm(dim=1)
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: the losses' ratio
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    return (rec_loss / (gan_loss + eps)).clamp(max=limit).detach()


# wrong: ratio of entries
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0]
    b = torch.autograd.grad(gan_loss, last, retain_graph=True)[0]
    return (a / (b + eps)).norm().clamp(max=limit).detach()


# wrong: graphs freed
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last)[0].norm()
    b = torch.autograd.grad(gan_loss, last)[0].norm()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: the second graph freed
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last)[0].norm()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: backward, .grad left
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    rec_loss.backward(retain_graph=True)
    a = last.grad.norm()
    last.grad = None
    gan_loss.backward(retain_graph=True)
    return (a / (last.grad.norm() + eps)).clamp(max=limit)


# wrong: backward, .grad emptied
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    rec_loss.backward(retain_graph=True, inputs=[last])
    a = last.grad.norm()
    last.grad = None
    gan_loss.backward(retain_graph=True, inputs=[last])
    b = last.grad.norm()
    last.grad = None
    return (a / (b + eps)).clamp(max=limit)


# wrong: a number with a gradient
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, create_graph=True)[0].norm()
    b = torch.autograd.grad(gan_loss, last, create_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=limit)


# wrong: gradient of the sum below
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    a = torch.autograd.grad(rec_loss, last, retain_graph=True)[0].norm()
    b = torch.autograd.grad(rec_loss + gan_loss, last, retain_graph=True)[0].norm()
    return (a / (b + eps)).clamp(max=limit).detach()


# wrong: the norm of the weights
def adaptive_weight(rec_loss, gan_loss, last, eps=1e-4, limit=1e4):
    return (last.norm() / (last.norm() + eps)).clamp(max=limit).detach()


# exercise: vqgan.patch_critic
# right: three convolutions
class PatchDiscriminator(nn.Module):
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


# right: patches of 4 x 4 alone
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=4, bias=False),
            nn.GELU(),
            nn.Conv2d(width, 1, 1, bias=False),
        )

    def forward(self, x):
        return self.net(x)


# right: pixels folded into features
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.PixelUnshuffle(4),
            nn.Conv2d(48, width, 3, padding=1),
            nn.SiLU(),
            nn.Conv2d(width, 1, 1),
        )

    def forward(self, x):
        return self.net(x)


# right: full size, then means
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Conv2d(width, 1, 1),
        )

    def forward(self, x):
        return self.net(x)


# right: the largest of each patch
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 5, padding=2),
            nn.MaxPool2d(4),
            nn.Conv2d(width, 1, 1),
        )

    def forward(self, x):
        return self.net(x)


# right: linear layers on unfolded patches
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.first = nn.Linear(3 * 8 * 8, width)
        self.last = nn.Linear(width, 1)

    def forward(self, x):
        b, _, h, w = x.shape
        patches = F.unfold(x, 8, padding=2, stride=4).mT
        logits = self.last(torch.tanh(self.first(patches)))
        return logits.mT.reshape(b, 1, h // 4, w // 4)


# right: normed over the features of each place
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.one = nn.Conv2d(3, width, 2, stride=2)
        self.norm = nn.LayerNorm(width)
        self.two = nn.Conv2d(width, width, 2, stride=2)
        self.last = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        h = self.norm(self.one(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.last(F.softplus(self.two(h)))


# wrong: sigmoid at the end
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.net(x)


# wrong: tanh at the end
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, x):
        return self.net(x)


# wrong: relu at the end
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
            nn.ReLU(),
        )

    def forward(self, x):
        return self.net(x)


# wrong: log sigmoid at the end
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
            nn.LogSigmoid(),
        )

    def forward(self, x):
        return self.net(x)


# wrong: no activation
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: no activation, and a batch norm in eval
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.norm = nn.InstanceNorm2d(3)
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x) + 0 * self.norm(x).mean()


# wrong: batch norm
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: batch norm without running means
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.BatchNorm2d(2 * width, track_running_stats=False),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: instance norm
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.InstanceNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: group norm
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: layer norm over the image
class PatchDiscriminator(nn.Module):
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
        x = F.layer_norm(x, x.shape[1:])
        return self.net(x)


# wrong: one logit per image
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
            nn.AdaptiveAvgPool2d(1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: one logit per image, spread out
class PatchDiscriminator(nn.Module):
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
        y = self.net(x)
        return y.mean((2, 3), keepdim=True).expand_as(y)


# wrong: flattened
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
            nn.Flatten(),
        )

    def forward(self, x):
        return self.net(x)


# wrong: images of 36 x 36
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * width * 81, 81),
            nn.Unflatten(1, (1, 9, 9)),
        )

    def forward(self, x):
        return self.net(x)


# wrong: stride once
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: three strides
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, stride=2, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: last layer 4 wide, a row lost
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 4, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: no padding
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: the patch of pix2pix
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 4 * width, 5, padding=2),
            nn.LeakyReLU(0.2),
            nn.Conv2d(4 * width, 1, 5, padding=2),
        )

    def forward(self, x):
        return self.net(x)


# wrong: wide windows
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 16, stride=4, padding=6),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 1, 7, padding=3),
        )

    def forward(self, x):
        return self.net(x)


# wrong: grey images
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: two logits per patch
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 2, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: dropout
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.3),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        return self.net(x)


# wrong: the batch's mean taken away
class PatchDiscriminator(nn.Module):
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
        return self.net(x - x.mean(0))


# wrong: the image's mean taken away
class PatchDiscriminator(nn.Module):
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
        return self.net(x - x.mean((2, 3), keepdim=True))


# wrong: spread of the batch as a feature
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(4, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x):
        spread = x.std(0, correction=0).mean().expand(len(x), 1, *x.shape[2:])
        return self.net(torch.cat([x, spread], 1))


# wrong: attention over places
class PatchDiscriminator(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.last = nn.Conv2d(2 * width, 1, 1)
        self.net = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        )

    def forward(self, x):
        h = self.net(x)
        q = h.flatten(2).mT
        h = h + F.scaled_dot_product_attention(q, q, q).mT.view_as(h)
        return self.last(h)


# wrong: softmax over the map
class PatchDiscriminator(nn.Module):
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
        y = self.net(x)
        return y.flatten(1).softmax(1).view_as(y)


# wrong: logits less the mean logit
class PatchDiscriminator(nn.Module):
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
        y = self.net(x)
        return y - y.mean()


# wrong: noise on the input
class PatchDiscriminator(nn.Module):
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
        return self.net(x + 0.1 * torch.randn_like(x))


# wrong: resized to 36 x 36
class PatchDiscriminator(nn.Module):
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
        x = F.interpolate(x, size=36)
        return self.net(x)


# wrong: height and width exchanged
class PatchDiscriminator(nn.Module):
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
        return self.net(x).mT


# wrong: no channel axis
class PatchDiscriminator(nn.Module):
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
        return self.net(x)[:, 0]


# exercise: vqgan.generator
# right: mapped, then folded
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# right: a plain network
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.up = nn.Sequential(
            nn.Linear(d, 8 * width),
            nn.GELU(),
            nn.Linear(8 * width, 1024),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(z).view(-1, 1, 32, 32)


# right: enlarged, then convolved
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2),
            nn.Conv2d(width, width, 3, padding=1),
            nn.SiLU(),
            nn.Upsample(scale_factor=4),
            nn.Conv2d(width, 1, 3, padding=1),
        )

    def forward(self, z):
        h = F.relu(self.to_grid(z)).unflatten(1, (-1, 4, 4))
        return 2 * torch.sigmoid(self.up(h)) - 1


# right: from 1 x 1, without bias
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.up = nn.Sequential(
            nn.ConvTranspose2d(d, width, 4, bias=False),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(width, width, 4, stride=4, bias=False),
            nn.LeakyReLU(0.2),
            nn.ConvTranspose2d(width, 1, 2, stride=2, bias=False),
        )

    def forward(self, z):
        return self.up(z[:, :, None, None]).tanh()


# right: pixels shuffled
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.Conv2d(width, 64, 1),
            nn.PixelShuffle(8),
        )

    def forward(self, z):
        h = torch.sin(self.to_grid(z)).reshape(z.shape[0], -1, 4, 4)
        return F.hardtanh(self.up(h))


# wrong: no activation
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: one affine map
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.up = nn.Sequential(
            nn.Linear(d, 1024),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.up(z).view(-1, 1, 32, 32)


# wrong: no tanh
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: relu at the end
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.ReLU(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: tanh in the middle
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.Tanh(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.Tanh(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: times 255
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return 127.5 * (self.up(h) + 1)


# wrong: twice the tanh
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return 2 * self.up(h)


# wrong: no padding
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: no padding, cut
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)[..., :28, :28]


# wrong: 28 x 28
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return F.interpolate(self.up(h), size=28)


# wrong: flat images
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h).flatten(1)


# wrong: no channel axis
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)[:, 0]


# wrong: three channels
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 3, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: 100 numbers
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(100, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: 32 features
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(32, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), 32, 4, 4)
        return self.up(h)


# wrong: batch and features mixed
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).T.reshape(len(z), -1, 4, 4)
        return self.up(h)


# wrong: images from last to first
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h).flip(0)


# wrong: the first vector for all
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z[:1].expand_as(z)).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: the mean vector added
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z + z.mean(0)).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: noise of its own
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(torch.randn_like(z)).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: a constant image
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(torch.ones_like(z)).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: one grey for each image
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        y = self.up(h)
        return y.mean((1, 2, 3), keepdim=True).detach() * 0 + torch.zeros_like(y)


# wrong: a small picture in the middle
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return F.pad(self.up(h), (8, 8, 8, 8))


# wrong: only the upper half
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        y = self.up(h).clone()
        y[:, :, 16:] = 0
        return y


# wrong: a layer that is not used
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.extra = nn.Conv2d(width, width, 1)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: the linear layer left out
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.width = width
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = z[:, :1, None, None].expand(-1, self.width, 4, 4)
        return self.up(h)


# wrong: the last layer detached
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h).detach()


# wrong: the vector's mean alone
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z * 0).view(len(z), -1, 4, 4)
        return self.up(h)


# wrong: leaky with slope 1
class Generator(nn.Module):
    def __init__(self, d=100, width=32):
        super().__init__()
        self.to_grid = nn.Linear(d, width * 4 * 4)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(width, width // 2, 4, stride=2, padding=1),
            nn.LeakyReLU(1.0),
            nn.ConvTranspose2d(width // 2, width // 4, 4, stride=2, padding=1),
            nn.LeakyReLU(1.0),
            nn.ConvTranspose2d(width // 4, 1, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        h = self.to_grid(z).view(len(z), -1, 4, 4)
        return self.up(h)


# exercise: vqgan.fresh
# right: as it was, with the arguments
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# right: unique codes, means of squares
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    d = (z_e[:, None] - codebook[None]).pow(2).sum(-1)
    i = d.argmin(dim=1)
    z_q = F.embedding(i, codebook)
    x_hat = decoder(z_q.detach() + z_e - z_e.detach())
    loss = (x - x_hat).pow(2).mean() + (z_e.detach() - z_q).pow(2).mean()
    loss = loss + (z_e - z_q.detach()).pow(2).mean() / 4
    return loss, len(i.unique()) / codebook.shape[0]


# right: a set of Python numbers
def vq_step(x, encoder, codebook, decoder):
    vectors = encoder(x)
    chosen = [int((codebook - v).norm(dim=1).argmin()) for v in vectors]
    codes = torch.stack([codebook[c] for c in chosen])
    out = decoder(vectors - (vectors - codes).detach())
    rec = torch.sum((out - x) ** 2) / x.numel()
    book = torch.sum((codes - vectors.detach()) ** 2) / codes.numel()
    commit = torch.sum((vectors - codes.detach()) ** 2) / codes.numel()
    return rec + book + 0.25 * commit, len(set(chosen)) / len(codebook)


# right: einsum and one-hot
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    scores = torch.einsum("bd,kd->bk", z_e, codebook) - codebook.square().sum(1) / 2
    hot = F.one_hot(scores.argmax(1), codebook.size(0))
    z_q = torch.einsum("bk,kd->bd", hot.to(codebook.dtype), codebook)
    x_hat = decoder(z_e + (z_q - z_e).detach())
    mse = nn.MSELoss()
    loss = mse(x_hat, x) + mse(z_q, z_e.detach()) + mse(z_e, z_q.detach()) * 0.25
    return loss, float(hot.any(0).double().mean())


# right: numpy for the share
def vq_step(x, encoder, codebook, decoder):
    import numpy as np

    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = np.unique(indices.numpy()).size / codebook.shape[0]
    return loss, used


# wrong: the number of used codes
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).sum()
    return loss, used.item()


# wrong: share of the vectors
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.tensor(len(indices.unique()) / len(indices))
    return loss, used.item()


# wrong: minlength left out
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices).gt(0).float().mean()
    return loss, used.item()


# wrong: 512 codes
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=512).gt(0).float().mean()
    return loss, used.item()


# wrong: divided by d
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.tensor(len(indices.unique()) / codebook.shape[1])
    return loss, used.item()


# wrong: a tensor for the share
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used


# wrong: mean count
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).float().mean()
    return loss, used.item()


# wrong: used more than once
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(1).float().mean()
    return loss, used.item()


# wrong: unused share
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).eq(0).float().mean()
    return loss, used.item()


# wrong: codebook term forgotten
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: commitment forgotten
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: both terms forgotten
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x)
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: a quarter of both
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = 0.25 * F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: the quarter on the codebook term
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = 0.25 * F.mse_loss(z_q, z_e.detach()) + F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: commitment in full
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: no detach in the terms
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e) + 0.25 * F.mse_loss(z_e, z_q)
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: codes do not move
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q.detach(), z_e) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: detach the other way round
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q.detach(), z_e) + 0.25 * F.mse_loss(z_e.detach(), z_q)
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: codes without the trick
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_q)
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: the decoder reads the vectors
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e)
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: sums
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x, reduction="sum") + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: absolute error
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.l1_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: farthest codes
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmax(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: codes over the batch
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(0)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: the encoder twice
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(encoder(x))
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: a loss as a number
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss.item(), used.item()


# wrong: error against the vectors
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, decoder(z_e).detach()) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: other codes' weight still read
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook.weight).argmin(1)
    z_q = codebook.weight[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook.weight)).gt(0).float().mean()
    return loss, used.item()


# wrong: new codes each time
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    codebook = nn.Parameter(torch.randn(512, z_e.shape[1]))
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: a fresh encoder
def vq_step(x, encoder, codebook, decoder):
    encoder = nn.Linear(x.shape[1], codebook.shape[1])
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e).detach())
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# wrong: the difference with its gradient
def vq_step(x, encoder, codebook, decoder):
    z_e = encoder(x)
    indices = torch.cdist(z_e, codebook).argmin(1)
    z_q = codebook[indices]
    x_hat = decoder(z_e + (z_q - z_e))
    latent = F.mse_loss(z_q, z_e.detach()) + 0.25 * F.mse_loss(z_e, z_q.detach())
    loss = F.mse_loss(x_hat, x) + latent
    used = torch.bincount(indices, minlength=len(codebook)).gt(0).float().mean()
    return loss, used.item()


# exercise: vqgan.noise
# right: drawn for each call
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# right: a function that draws
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    def noise(n):
        return torch.empty(n, d, device=device).normal_()

    seen = 0
    for x in batches:
        n = x.shape[0]
        discriminator_step(x.to(device), noise(n))
        generator_step(noise(n))
        seen = seen + n
    return seen


# right: one draw, cut in two
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        first, second = torch.randn(2, len(x), d, device=device)
        discriminator_step(x.to(device=device), first)
        generator_step(second)
        seen += x.size(0)
    return int(seen)


# right: counted in a list
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    sizes = []
    for x in iter(batches):
        sizes.append(len(x))
        for step in (lambda z: discriminator_step(x.to(device), z), generator_step):
            step(torch.normal(0.0, 1.0, (sizes[-1], d), device=device))
    return sum(sizes)


# right: drawn on the CPU, then moved
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    count = 0
    for images in batches:
        discriminator_step(images.to(device), torch.randn((len(images), d)).to(device))
        generator_step(torch.randn((len(images), d)).to(device))
        count += images.shape[0]
    return count


# wrong: one z for both
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        z = torch.randn(len(x), d, device=device)
        discriminator_step(x, z)
        generator_step(z)
        seen += len(x)
    return seen


# wrong: z above the loop
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    z = torch.randn(64, d, device=device)
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, z[: len(x)])
        generator_step(z[: len(x)])
        seen += len(x)
    return seen


# wrong: the last z used for the next batch
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen, z = 0, None
    for x in batches:
        if z is None:
            z = torch.randn(len(x), d, device=device)
        discriminator_step(x.to(device), z)
        z = torch.randn(len(x), d, device=device)
        generator_step(z)
        seen += len(x)
    return seen


# wrong: uniform noise
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.rand(len(x), d, device=device))
        generator_step(torch.rand(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: uniform noise in [-1, 1]
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, 2 * torch.rand(len(x), d, device=device) - 1)
        generator_step(2 * torch.rand(len(x), d, device=device) - 1)
        seen += len(x)
    return seen


# wrong: one row for the batch
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(1, d, device=device).expand(len(x), d))
        generator_step(torch.randn(1, d, device=device).expand(len(x), d))
        seen += len(x)
    return seen


# wrong: one row
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(1, d, device=device))
        generator_step(torch.randn(1, d, device=device))
        seen += len(x)
    return seen


# wrong: one number for a row
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), 1, device=device).expand(-1, d))
        generator_step(torch.randn(len(x), 1, device=device).expand(-1, d))
        seen += len(x)
    return seen


# wrong: noise on the CPU
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d))
        generator_step(torch.randn(len(x), d))
        seen += len(x)
    return seen


# wrong: images on the CPU
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: the device not asked
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x
        discriminator_step(x, torch.randn(len(x), d))
        generator_step(torch.randn(len(x), d))
        seen += len(x)
    return seen


# wrong: always on the CPU
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.cpu()
        discriminator_step(x, torch.randn(len(x), d, device="cpu"))
        generator_step(torch.randn(len(x), d, device="cpu"))
        seen += len(x)
    return seen


# wrong: where the machine has one
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: 64 rows
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(64, d, device=device))
        generator_step(torch.randn(64, d, device=device))
        seen += len(x)
    return seen


# wrong: 100 numbers
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), 100, device=device))
        generator_step(torch.randn(len(x), 100, device=device))
        seen += len(x)
    return seen


# wrong: axes exchanged
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(d, len(x), device=device))
        generator_step(torch.randn(d, len(x), device=device))
        seen += len(x)
    return seen


# wrong: batches counted
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += 1
    return seen


# wrong: real and generated counted
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += 2 * len(x)
    return seen


# wrong: the last size
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen = len(x)
    return seen


# wrong: return inside the loop
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
        return seen


# wrong: nothing returned
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
    return None


# wrong: generator first
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        generator_step(torch.randn(len(x), d, device=device))
        discriminator_step(x, torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: only the discriminator
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: two steps of the discriminator
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        discriminator_step(x, torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: all discriminator steps, then all generator steps
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    batches = list(batches)
    for x in batches:
        discriminator_step(x.to(device), torch.randn(len(x), d, device=device))
    for x in batches:
        generator_step(torch.randn(len(x), d, device=device))
    return sum(len(x) for x in batches)


# wrong: the same seed for each draw
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        torch.manual_seed(0)
        discriminator_step(x, torch.randn(len(x), d, device=device))
        torch.manual_seed(0)
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: half the noise
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, 0.5 * torch.randn(len(x), d, device=device))
        generator_step(0.5 * torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: rows of length 1
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, F.normalize(torch.randn(len(x), d, device=device), dim=1))
        generator_step(F.normalize(torch.randn(len(x), d, device=device), dim=1))
        seen += len(x)
    return seen


# wrong: the second is the negative of the first
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        z = torch.randn(len(x), d, device=device)
        discriminator_step(x.to(device), z)
        generator_step(-z)
        seen += len(x)
    return seen


# wrong: zeros
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(x, torch.zeros(len(x), d, device=device))
        generator_step(torch.zeros(len(x), d, device=device))
        seen += len(x)
    return seen


# wrong: noise for the images
def gan_epoch(batches, d, device, discriminator_step, generator_step):
    seen = 0
    for x in batches:
        x = x.to(device)
        discriminator_step(torch.randn_like(x), torch.randn(len(x), d, device=device))
        generator_step(torch.randn(len(x), d, device=device))
        seen += len(x)
    return seen


# exercise: vqgan.perceptual
# right: frozen, and train overridden
class PerceptualLoss(nn.Module):
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
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )


# right: eval in each call
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def forward(self, x_hat, x):
        self.features.eval()
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a = a / a.norm(dim=1, keepdim=True)
            b = b / b.norm(dim=1, keepdim=True)
            total = total + (a - b).pow(2).sum((1, 2, 3)).mean() / a[0, 0].numel()
        return total


# right: train that does nothing to the features
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features
        self.features.eval()
        for p in self.features.parameters():
            p.requires_grad = False

    def train(self, mode=True):
        self.training = mode
        return self

    def forward(self, x_hat, x):
        with torch.no_grad():
            wanted = self.features(x)
        parts = []
        for a, b in zip(self.features(x_hat), wanted):
            gap = F.normalize(a) - F.normalize(b)
            parts.append(torch.einsum("bchw,bchw->", gap, gap) / (gap.shape[0] * gap[0, 0].numel()))
        return torch.stack(parts).sum()


# right: a deep copy
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.judge = copy.deepcopy(features).eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.judge.train(False)
        return self

    def forward(self, x_hat, x):
        def unit(m):
            return m * m.square().sum(1, keepdim=True).rsqrt()

        pairs = zip(self.judge(x_hat), self.judge(x))
        return sum([(unit(a) - unit(b)).square().sum(1).mean() for a, b in pairs])


# right: through the cosine
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        for a, b in zip(self.features(x_hat), self.features(x)):
            total = total + (2 - 2 * F.cosine_similarity(a, b, dim=1)).mean()
        return total


# right: loops over the images
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0.0
        for a, b in zip(self.features(x_hat), self.features(x)):
            for one, two in zip(a, b):
                rows, others = F.normalize(one.flatten(1).T), F.normalize(two.flatten(1).T)
                total = total + (rows - others).square().sum(1).mean() / len(a)
        return total


# wrong: frozen, but back in training mode
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def forward(self, x_hat, x):
        maps = zip(self.features(x_hat), self.features(x))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )


# wrong: train overridden, not frozen
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval()

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        maps = zip(self.features(x_hat), self.features(x))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )


# wrong: frozen, never in eval
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.requires_grad_(False)

    def forward(self, x_hat, x):
        maps = zip(self.features(x_hat), self.features(x))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )


# wrong: out of reach in a list
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.held = [features.eval().requires_grad_(False)]

    def forward(self, x_hat, x):
        maps = zip(self.held[0](x_hat), self.held[0](x))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )


# wrong: out of reach in a function
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        features.eval().requires_grad_(False)
        self.look = lambda images: features(images)

    def forward(self, x_hat, x):
        maps = zip(self.look(x_hat), self.look(x))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )


# wrong: no gradient at all
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        with torch.no_grad():
            pairs = list(zip(self.features(x_hat), self.features(x)))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in pairs
        )


# wrong: x_hat detached
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat.detach()), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: the maps of x_hat detached
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a.detach() - b).square().sum(1).mean()
        return total


# wrong: a model in evaluation forever, its weights too
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features
        self.eval()

    def forward(self, x_hat, x):
        maps = zip(self.features(x_hat), self.features(x))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in maps
        )


# wrong: mean over the features too
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().mean()
        return total


# wrong: sum over places
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum((1, 2, 3)).mean()
        return total


# wrong: sum over the batch
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).mean((1, 2)).sum()
        return total


# wrong: distances not squared
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).add(1e-12).sqrt().mean()
        return total


# wrong: absolute differences
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).abs().sum(1).mean()
        return total


# wrong: not brought to length 1
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: the whole map brought to length 1
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = (
                F.normalize(a.flatten(1), dim=1).view_as(a),
                F.normalize(b.flatten(1), dim=1).view_as(b),
            )
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: rows brought to length 1
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=-1), F.normalize(b, dim=-1)
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: standardised in place of length 1
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.layer_norm(a, a.shape[1:]), F.layer_norm(b, b.shape[1:])
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: length 1 in absolute values
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1, p=1), F.normalize(b, dim=1, p=1)
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: only x normalised
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            b = F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: the last map alone
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        a, b = self.features(x_hat)[-1], self.features(x)[-1]
        return (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean()


# wrong: the first map alone
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).mean()
            return total


# wrong: mean over the maps
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        pairs = list(zip(self.features(x_hat), self.features(x)))
        return sum(
            (F.normalize(a, dim=1) - F.normalize(b, dim=1)).square().sum(1).mean() for a, b in pairs
        ) / len(pairs)


# wrong: normalised after the difference
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            total = total + F.normalize(a - b, dim=1).square().sum(1).mean()
        return total


# wrong: means over places compared
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a.mean((2, 3)) - b.mean((2, 3))).square().sum(1).mean()
        return total


# wrong: one minus cosine
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (1 - (a * b).sum(1)).mean()
        return total


# wrong: pixels too
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).mean()
        return total + (x_hat - x).square().mean()


# wrong: one batch through the features
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.requires_grad_(False)

    def forward(self, x_hat, x):
        total = 0
        for m in self.features(torch.cat([x_hat, x])):
            a, b = F.normalize(m, dim=1).chunk(2)
            total = total + (a - b).square().sum(1).mean()
        return total


# wrong: root in the end
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).mean()
        return total.sqrt()


# wrong: one loss per image
class PerceptualLoss(nn.Module):
    def __init__(self, features):
        super().__init__()
        self.features = features.eval().requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, x_hat, x):
        total = 0
        for a, b in zip(self.features(x_hat), self.features(x)):
            a, b = F.normalize(a, dim=1), F.normalize(b, dim=1)
            total = total + (a - b).square().sum(1).mean((1, 2))
        return total


# exercise: vqgan.r1
# right: a leaf of its own
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# right: a clone, sums over all divided by the batch
def r1_penalty(discriminator, x, gamma=10.0):
    leaf = x.clone().detach().requires_grad_(True)
    out = discriminator(leaf)
    slope = torch.autograd.grad(out, leaf, torch.ones_like(out), create_graph=True)[0]
    return 0.5 * gamma * slope.pow(2).sum() / len(x)


# right: einsum
def r1_penalty(discriminator, x, gamma=10.0):
    leaf = x.data.clone()
    leaf.requires_grad = True
    slope = torch.autograd.grad(discriminator(leaf).flatten(1).sum(), leaf, create_graph=True)[0]
    return torch.einsum("bchw,bchw->b", slope, slope).mean() * gamma * 0.5


# right: one image after the other
def r1_penalty(discriminator, x, gamma=10.0):
    total = 0.0
    for image in x:
        leaf = image[None].detach().clone().requires_grad_()
        slope = torch.autograd.grad(discriminator(leaf).sum(), leaf, create_graph=True)[0]
        total = total + (slope**2).sum()
    return gamma * total / (2 * len(x))


# right: norms squared again
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * torch.linalg.vector_norm(g, dim=(1, 2, 3)).square().mean()


# right: the sum of each map first, then that of the batch
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum((1, 2, 3)).sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# right: gradients switched on
def r1_penalty(discriminator, x, gamma=10.0):
    with torch.enable_grad():
        leaf = torch.empty_like(x).copy_(x).requires_grad_()
        outs = [o.sum() for o in discriminator(leaf)]
        slope = torch.autograd.grad(outs, leaf, create_graph=True, retain_graph=True)[0]
        return slope.square().sum((1, 2, 3)).mean().mul(gamma).div(2)


# wrong: no graph of the gradient
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: graph retained, not made
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, retain_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: the images themselves asked for gradients
def r1_penalty(discriminator, x, gamma=10.0):
    x.requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: requires_grad left on
def r1_penalty(discriminator, x, gamma=10.0):
    x.requires_grad = True
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: a detached view that is backpropagated into .grad
def r1_penalty(discriminator, x, gamma=10.0):
    x.requires_grad_(True)
    discriminator(x).sum().backward(create_graph=True)
    g = x.grad
    x.requires_grad_(False)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: mean of the logits
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.mean(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: mean over each map
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.mean((1, 2, 3)).sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: the first logit
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.flatten(1)[:, 0].sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: the largest logit
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.flatten(1).amax(1).sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: norm not squared
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.flatten(1).norm(dim=1).mean()


# wrong: square of the mean norm
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.flatten(1).norm(dim=1).mean().square()


# wrong: mean over pixels
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().mean()


# wrong: sum over the batch
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum()


# wrong: sum over channels alone
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().sum(1).mean()


# wrong: not halved
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma * g.square().flatten(1).sum(1).mean()


# wrong: gamma always 10
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 5.0 * g.square().flatten(1).sum(1).mean()


# wrong: gamma squared
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma**2 / 2 * g.square().flatten(1).sum(1).mean()


# wrong: slope 1 wanted
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * (g.flatten(1).norm(dim=1) - 1).square().mean()


# wrong: sign
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return -gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: of the sigmoid
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sigmoid().sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: of the loss
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(F.softplus(-logits).sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: squared logits
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * logits.square().mean()


# wrong: gradients of the weights
def r1_penalty(discriminator, x, gamma=10.0):
    logits = discriminator(x)
    g = torch.autograd.grad(logits.sum(), list(discriminator.parameters()), create_graph=True)
    return gamma / 2 * sum(v.square().sum() for v in g)


# wrong: absolute values
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.abs().flatten(1).sum(1).mean()


# wrong: detached
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean().detach()


# wrong: a number
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return (gamma / 2 * g.square().flatten(1).sum(1).mean()).item()


# wrong: one value per image
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1)


# wrong: at noise
def r1_penalty(discriminator, x, gamma=10.0):
    x = torch.randn_like(x).requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: at noisy images
def r1_penalty(discriminator, x, gamma=10.0):
    x = (x + 0.1 * torch.randn_like(x)).detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.square().flatten(1).sum(1).mean()


# wrong: gradient of the mean image
def r1_penalty(discriminator, x, gamma=10.0):
    x = x.detach().requires_grad_()
    logits = discriminator(x)
    (g,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return gamma / 2 * g.mean(0).square().sum()


# exercise: vqgan.tell_apart
# right: a deep copy, seeds
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# right: several changes of both, a fork of the generator
def kind_of(model, x):
    other = copy.deepcopy(model)

    def far(images):
        with torch.random.fork_rng(), torch.no_grad():
            torch.manual_seed(7)
            return other(images).clone()

    start = far(x)
    looks = any(not torch.equal(start, far(v)) for v in (x + 1, -x, x * 0 + 0.3, x.flip(-1)))
    if not looks:
        return "noise"
    other.codebook.data = other.codebook.data + 10
    if not torch.equal(start, far(x)):
        return "vq"
    return "autoencoder"


# right: numpy, float64, the answer from a table
def kind_of(model, x):
    twin = copy.deepcopy(model)
    state = torch.get_rng_state()

    @torch.no_grad()
    def pictures(images):
        torch.set_rng_state(state)
        return twin(images).double().numpy().copy()

    a = pictures(x)
    on_x = any(np.abs(a - pictures(s * torch.ones_like(x))).max() > 1e-7 for s in (-2, 0, 2))
    twin.codebook.requires_grad_(False).mul_(-3).sub_(2)
    on_codes = np.abs(a - pictures(x)).max() > 1e-7
    return {(True, True): "vq", (True, False): "autoencoder"}.get((on_x, on_codes), "noise")


# right: the state dict read and written back
def kind_of(model, x):
    state = {k: v.clone() for k, v in model.state_dict().items()}
    rng = torch.get_rng_state()

    def see(images):
        torch.manual_seed(3)
        with torch.no_grad():
            out = model(images).clone()
        return out

    try:
        first = see(x)
        changed = see(torch.rand_like(x) * 4 - 2)
        if torch.allclose(first, changed):
            return "noise"
        model.load_state_dict(state)
        with torch.no_grad():
            model.codebook.add_(torch.linspace(5, 9, model.codebook.shape[1]))
        return "autoencoder" if torch.allclose(see(x), first) else "vq"
    finally:
        model.load_state_dict(state)
        torch.set_rng_state(rng)


# wrong: gradients of x and of the codebook
def kind_of(model, x):
    leaf = x.clone().requires_grad_()
    out = model(leaf).sum()
    a, b = torch.autograd.grad(out, [leaf, model.codebook], allow_unused=True)
    if a is None or not a.any():
        return "noise"
    return "vq" if b is not None and b.any() else "autoencoder"


# wrong: backward, gradients left
def kind_of(model, x):
    leaf = x.clone().requires_grad_()
    model(leaf).square().sum().backward()
    if leaf.grad is None:
        return "noise"
    return "autoencoder" if model.codebook.grad is None else "vq"


# wrong: no seed
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: two calls with the same images
def kind_of(model, x):
    with torch.no_grad():
        if not torch.equal(model(x), model(x)):
            return "noise"
        before = model(x)
        twin = copy.deepcopy(model)
        twin.codebook.copy_(torch.randn_like(twin.codebook) * 5)
        return "autoencoder" if torch.equal(before, twin(x)) else "vq"


# wrong: codes left changed
def kind_of(model, x):
    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: codes put back, training statistics not
def kind_of(model, x):
    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    kept = model.codebook.detach().clone()
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    same = torch.allclose(before, draw(x))
    model.codebook.data.copy_(kept)
    return "autoencoder" if same else "vq"


# wrong: left in evaluation mode
def kind_of(model, x):
    model.eval()
    kept = model.codebook.detach().clone()

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    same = torch.allclose(before, draw(x))
    model.codebook.data.copy_(kept)
    return "autoencoder" if same else "vq"


# wrong: codes frozen
def kind_of(model, x):
    kept = model.codebook.detach().clone()
    model.codebook.requires_grad_(False)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    same = torch.allclose(before, draw(x))
    model.codebook.data.copy_(kept)
    return "autoencoder" if same else "vq"


# wrong: rows of the codebook in another order
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(model.codebook.flip(0))
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: codes moved a little
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(model.codebook + 1e-9)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: images moved a little
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(x + 1e-9)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: the codebook is there
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "vq" if hasattr(model, "codebook") else "autoencoder"


# wrong: the codebook learns
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "vq" if model.codebook.requires_grad else "autoencoder"


# wrong: an encoder by name
def kind_of(model, x):
    names = [n for n, _ in model.named_parameters()]
    if not any("encoder" in n for n in names):
        return "noise"
    return "vq" if any("codebook" in n for n in names) else "autoencoder"


# wrong: convolutions that take images
def kind_of(model, x):
    first = next((m for m in model.modules() if isinstance(m, nn.Conv2d)), None)
    if first is None:
        return "noise"
    return "vq" if len(model.codebook) > 1 else "autoencoder"


# wrong: codebook asked first
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    if not torch.allclose(before, draw(x)):
        return "vq"
    return "noise" if torch.allclose(before, draw(torch.randn_like(x) * 3)) else "autoencoder"


# wrong: what does not repeat is noise
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    with torch.no_grad():
        if not torch.allclose(model(x), model(x)):
            return "noise"
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: shapes
def kind_of(model, x):
    out = model(x)
    if out.shape != x.shape:
        return "noise"
    return "vq" if model.codebook.dim() == 2 else "autoencoder"


# wrong: a small error
def kind_of(model, x):
    with torch.no_grad():
        error = (model(x) - x).square().mean()
    if error > x.var():
        return "noise"
    return "vq" if error > 1e-3 else "autoencoder"


# wrong: answers exchanged
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "vq" if torch.allclose(before, draw(x)) else "autoencoder"


# wrong: another name
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vqgan"


# wrong: True and False
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return not torch.allclose(before, draw(x))


# wrong: always vq
def kind_of(model, x):
    return "vq"


# wrong: the first image alone
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    x = x[:1]
    before = draw(x)
    if torch.allclose(before, draw(x)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: codes compared after both have changed
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    images = torch.randn_like(x) * 3
    if torch.allclose(before, draw(images)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(images)) else "vq"


# wrong: means compared
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images).mean().round()

    before = draw(x)
    if torch.allclose(before, draw(torch.randn_like(x) * 3)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: batch turned round
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before.mean(0), draw(x.flip(0)).mean(0)):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"


# wrong: the images changed in place
def kind_of(model, x):
    model = copy.deepcopy(model)

    def draw(images):
        torch.manual_seed(0)
        with torch.no_grad():
            return model(images)

    before = draw(x)
    if torch.allclose(before, draw(x.mul_(-3))):
        return "noise"
    with torch.no_grad():
        model.codebook.copy_(torch.randn_like(model.codebook) * 5 + 1)
    return "autoencoder" if torch.allclose(before, draw(x)) else "vq"
