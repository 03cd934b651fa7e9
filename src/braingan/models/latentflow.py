"""Slices in two parts: what a linear code holds comes from a flow, what it leaves out from an adversarial decoder.

A GAN must find a slice's anatomy and its texture by the discriminator's word alone. Here a slice's code (`blockcode`:
with 8 components an eighth of its numbers) is had in closed form; the decoder learns from pairs to complete real codes,
judged by patches (`decoder`), and a flow learns the codes' distribution by regression (`flow`). All learn at once from
the same batches. The division of labour is latent diffusion's (Rombach et al., High-Resolution
Image Synthesis with Latent Diffusion Models, 2022), but for the encoder, which needs no training.
"""

from collections.abc import Callable, Sequence
from functools import partial
from types import MappingProxyType
from typing import Annotated, Literal, final

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from braingan.data.conditions import CONDITIONS, NO_WORDS, Condition, Vocabulary
from braingan.errors import InputError
from braingan.models.architecture import Architecture, Autocast, Made, Rate, Real
from braingan.models.blockcode import BLOCK, BlockCode
from braingan.models.decoder import Decoder, bounded, patch_discriminator, reconstruction_error
from braingan.models.flow import VelocityField, flow, matching_loss, stops
from braingan.models.told import DEPTH, LESION, left_open

Channels = Annotated[int, Field(ge=8, multiple_of=8)]
Weight = Annotated[float, Field(ge=0)]


def channels(vocabulary: Vocabulary) -> int:
    """Return the channels of a slice: itself, and its lesion mask where there is one."""
    return 2 if vocabulary.masks else 1


class FlowAndDecoder(nn.Module):
    """The generator: latents to slices."""

    def __init__(
        self,
        side: int,
        components: int,
        flow_widths: tuple[int, int],
        widths: tuple[int, int, int],
        vocabulary: Vocabulary,
    ) -> None:
        super().__init__()
        self.grid, self.noise_side = side // BLOCK, side // 2
        self.code_channels = components * channels(vocabulary)
        self.decoder = Decoder(BlockCode(side, components, channels(vocabulary)), widths)
        self.known = vocabulary.depth is not None, vocabulary.lesion is not None
        names = len(vocabulary.frames), len(vocabulary.labels)
        self.field = VelocityField(self.code_channels, self.grid, *flow_widths, *names)

    @property
    def code(self) -> BlockCode:
        """Slices to codes."""
        return self.decoder.code

    def parts(
        self, latents: Float[Tensor, "n latent"]
    ) -> tuple[Float[Tensor, "n c grid grid"], Float[Tensor, "n 1 half half"]]:
        """Return the flow's noise and the decoder's."""
        flows = self.code_channels * self.grid**2
        return (
            latents[:, :flows].reshape(-1, self.code_channels, self.grid, self.grid),
            latents[:, flows : flows + self.noise_side**2].reshape(-1, 1, self.noise_side, self.noise_side),
        )

    def choices(
        self, latents: Float[Tensor, "n latent"]
    ) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"], Float[Tensor, "n 4"]]:
        """Return numbers for a training step: time along the flow, whether to mirror (where > 0), what is untold."""
        return latents[:, -7], latents[:, -6], latents[:, -5:-1]

    def draw(self, latents: Float[Tensor, "n latent"], wished: Float[Tensor, "n 4"]) -> Float[Tensor, "n 4"]:
        """Fill what is left open in wishes, by the last number."""
        drawn: Tensor = self.field.told.draw(wished, latents[:, -1])
        return drawn

    def guidance(self, told: Float[Tensor, "n 4"], weights: tuple[float, float]) -> Callable[[Tensor, Tensor], Tensor]:
        """Return the field, or with weights w of depth and lesion one that goes on from what each changes in it,

        v(x, t, told) + Σ w (v(x, t, told) - v(x, t, told but for one)): classifier-free guidance (Ho and Salimans,
        2022, equation 6), by each apart, since training withholds each apart. What is unknown changes nothing.
        """
        known = zip(self.known, (DEPTH, LESION), weights, strict=True)
        guided = [(one, weight) for there, one, weight in known if there and weight]
        if not guided:
            return partial(self.field, told=told)
        unknown = torch.full_like(told[:, :1], torch.nan)
        withheld = [(torch.cat([told[:, :one], unknown, told[:, one + 1 :]], 1), weight) for one, weight in guided]

        def field(x: Tensor, t: Tensor) -> Tensor:
            as_told: Tensor = self.field(x, t, told)
            return as_told + torch.stack([w * (as_told - self.field(x, t, less)) for less, w in withheld]).sum(0)

        return field

    def forward(
        self,
        latents: Float[Tensor, "n latent"],
        told: Float[Tensor, "n 4"],
        times: Sequence[float],
        temperature: float,
        guidance: tuple[float, float],
    ) -> Float[Tensor, "n k side side"]:
        """Make slices in -1..1 by a flow that stops at these times, from noise of that standard deviation."""
        start, noise = self.parts(latents)
        codes = flow(self.guidance(told, guidance), temperature * start, times)
        made: Tensor = self.decoder(codes, noise).clamp(-1, 1)
        return made


@final
class LatentFlow(Architecture):
    """A flow over a linear code, and an adversarial decoder; any side that 16 divides."""

    training = MappingProxyType({"batch_size": 16, "learning_rate": 8e-4, "betas": (0.5, 0.99)})
    story = (
        "Three networks learn from the same slices. The flow learns how random numbers become the coarse code of a "
        "slice; the decoder learns to complete the codes of real slices; and the discriminator learns to tell what the "
        "decoder made from real slices, patch by patch, so that the decoder learns from where it failed."
    )

    name: Literal["latentflow"] = "latentflow"
    """Which architecture."""
    components: Annotated[int, Field(ge=1, le=BLOCK * BLOCK)] = 8
    """Principal components kept of each block of 8×8 pixels."""
    flow_widths: tuple[Channels, Channels] = (64, 128)
    """Channels of the flow's network, at an eighth and a sixteenth of the side."""
    widths: tuple[Channels, Channels, Channels] = (96, 64, 32)
    """Channels of the decoder, at an eighth, a quarter and half of the side."""
    steps: Annotated[int, Field(ge=1)] = 4
    """Steps of the flow to a slice; all but the last evaluate its network twice. With masks the first is two."""
    temperature: Annotated[float, Field(gt=0)] = 0.95
    """Standard deviation of the noise that slices begin as: below 1 gives fewer unlikely ones."""
    guidance: tuple[Weight, Weight] = (0.0, 0.0)
    """How much more slices make of the depth, and of the lesion, that they are told than training slices do. Each of
    the two costs as much as the flow itself; 0 costs nothing."""
    flow_rate: Annotated[float, Field(gt=0)] = 3.75
    """The flow's learning rate, in units of `training.learning_rate`."""
    flow_images: Annotated[float, Field(gt=0)] = 12_000
    """Training images after which the flow's learning rate falls with the root of their number."""
    flow_epochs: Annotated[float, Field(gt=0)] = 20
    """Passes over the training slices after which the flow learns no more, lest it learns them by heart."""
    flow_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of the training's slices that are completed from the flow's codes, once it learns no more; not from real
    slices'. Before, its codes are no better than what they teach."""
    reconstruction: Annotated[float, Field(ge=0)] = 80.0
    """Weight of the decoder's mean absolute error beside the adversarial loss."""
    mirror: bool = True
    """Mirror every second training slice left to right; of a sagittal store, where that is front to back, only if this
    is set."""
    conditions: tuple[Condition, ...] = CONDITIONS
    """What the flow is told of a slice, where the store has it, and can be asked for."""

    masks: bool = False
    """Make lesion masks with the slices; all training slices need label maps, and one in a hundred a lesion."""

    mask_shift: float = -1.0
    """Shift of the logit of the flow's times in training, if masks are made: where a lesion lies is decided early."""

    @property
    def makes_masks(self) -> bool:
        """`masks`."""
        return self.masks

    @property
    def times(self) -> list[float]:
        """Where the flow stops on its way to a slice."""
        return stops(self.steps, early=self.masks)

    @property
    def told(self) -> tuple[Condition, ...]:
        """`conditions`."""
        return self.conditions

    def latent_size(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> int:
        """Numbers of the flow's noise, the decoder's, six that training uses, and one that chooses what is untold."""
        return channels(vocabulary) * self.components * (side // BLOCK) ** 2 + (side // 2) ** 2 + 7

    def build(self, side: int, vocabulary: Vocabulary = NO_WORDS) -> nn.ModuleDict:
        """Build generator and discriminator; 16 must divide the side."""
        if side % (2 * BLOCK):
            raise InputError(
                f"{self.name} makes slices whose side {2 * BLOCK} divides, the store's are {side}×{side}: prepare with "
                f"--size {max(round(side / 2 / BLOCK), 1) * 2 * BLOCK}."
            )
        generator = FlowAndDecoder(side, self.components, self.flow_widths, self.widths, vocabulary)
        return nn.ModuleDict({"generator": generator, "discriminator": patch_discriminator()})

    def fit(self, networks: nn.ModuleDict, real: Real) -> None:
        """Fit the linear code, to mirrored slices too where the training mirrors, and what slices are told."""
        generator, slices = networks["generator"], real.slices
        assert isinstance(generator, FlowAndDecoder)
        generator.code.fit(torch.cat([slices, slices.flip(3)]) if self.mirror else slices)
        generator.field.told.fit(real.told)

    def rates(self, networks: nn.ModuleDict, slices: int) -> dict[str, list[Rate]]:
        """Learn the flow faster than the players, ever more slowly, and not for ever."""
        generator, discriminator = networks["generator"], networks["discriminator"]
        assert isinstance(generator, FlowAndDecoder)
        decoder, field = list(generator.decoder.parameters()), list(generator.field.parameters())
        return {
            "generator": [Rate(decoder), Rate(field, self.flow_rate, self.flow_images, self.flow_epochs * slices)],
            "discriminator": [Rate(list(discriminator.parameters()))],
        }

    def called(self, network: nn.Module) -> list[nn.Module]:
        """The flow's network and the decoder, which the generator's own forward pass would only call."""
        return [network.field, network.decoder] if isinstance(network, FlowAndDecoder) else [network]

    def make(
        self,
        generator: nn.Module,
        real: Real,
        latents: Float[Tensor, "n latent"],
        autocast: Autocast,
    ) -> Made:
        """Complete real slices' codes y, and teach the flow; the further loss, with noise z, is

        λ E|decoder(y) - x| + E‖v(x_t, t, told) - (y - z)‖², the first term for the decoder, the second for the flow.
        The first is `reconstruction_error`: a sum over the channels, so that a mask takes nothing from its slice. Of
        masks the discriminator sees nothing: real ones have two values, and it would tell slices apart by that. Once
        the flow learns no more, the second is gone and some of the codes are the flow's own: these have no real slice
        to be like, and the discriminator alone judges them.
        """
        assert isinstance(generator, FlowAndDecoder)
        (start, noise), (time, side, untold) = generator.parts(latents), generator.choices(latents)
        slices, own = real.slices, len(latents)
        if self.mirror:
            slices = torch.where(side[:, None, None, None] > 0, slices.flip(3), slices)
        codes = generator.code.encode(slices)
        matching: Tensor | None = None
        if next(generator.field.parameters()).requires_grad:
            with autocast():
                field = partial(generator.field, told=left_open(real.told, untold))
                matching = matching_loss(field, codes, start, time + self.mask_shift if self.masks else time)
        elif flown := int(self.flow_share * own):
            own -= flown
            with torch.no_grad(), autocast():
                guided = generator.guidance(real.told[own:], self.guidance)
                codes = torch.cat([codes[:own], flow(guided, self.temperature * start[own:], self.times)])
        with autocast():
            drawn = generator.decoder(codes, noise)
        fake, error = bounded(drawn[:, :1]), reconstruction_error(drawn[:own], slices[:own])
        further, scalars = self.reconstruction * error, {"reconstruction_error": error.detach()}
        if matching is None:
            return Made(slices[:, :1], fake, further, scalars)
        return Made(slices[:, :1], fake, further + matching, scalars | {"flow_loss": matching.detach()})

    def draw(
        self, generator: nn.Module, latents: Float[Tensor, "n latent"], wished: Float[Tensor, "n 4"]
    ) -> Float[Tensor, "n 4"]:
        """Draw what is not wished for as it is among the training slices."""
        assert isinstance(generator, FlowAndDecoder)
        return generator.draw(latents, wished)

    def sample(
        self, generator: nn.Module, latents: Float[Tensor, "n latent"], told: Float[Tensor, "n 4"]
    ) -> Float[Tensor, "n k side side"]:
        """Make slices by `steps` of the flow."""
        with torch.no_grad():
            made: Tensor = generator(latents, told, self.times, self.temperature, self.guidance)
            return made
