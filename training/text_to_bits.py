"""The text encoder and the transformer as one network, and the sampling of bits."""

import torch
from torch import nn

from bits import codes_of, tokens_of
from common import resize
from text_encoder import TextEncoder
from transformer import Infinity


class TextToBits(nn.Module):
    """Both networks together, so that one optimiser and one average serve them."""

    def __init__(self, text, image):
        super().__init__()
        self.text, self.image = TextEncoder(**text), Infinity(**image)

    @property
    def config(self):
        return {"text": self.text.config, "image": self.image.config}

    def forward(self, ids, lengths, tokens, sides, drop=None):
        return self.image(self.text(ids, lengths), lengths, tokens, sides, drop)

    @torch.no_grad()
    def sample(self, ids, lengths, sides, full, guidance=3.0, generator=None):
        """Draws bits scale by scale; returns their summed codes [B, d, full, full].

        `sides` may stop short of the last scale, whose side is `full`. The prefix is computed anew at every scale: slow
        but short.
        """
        count, d, device = len(ids), self.image.config["codebook_dim"], ids.device
        text = self.text(ids, lengths)
        text, lengths = torch.cat([text, text]), torch.cat([lengths, lengths])
        drop = torch.arange(2 * count, device=device) >= count
        total = torch.zeros(count, d, full, full, device=device)
        inputs = torch.zeros(count, 0, d, device=device)
        for i, side in enumerate(sides):
            logits = self.image(text, lengths, torch.cat([inputs, inputs]), sides[: i + 1], drop)[:, -side * side :]
            logits = guidance * logits[:count] + (1 - guidance) * logits[count:]
            chance = torch.sigmoid(logits[..., 1] - logits[..., 0])
            drawn = torch.rand(chance.shape, generator=generator, device=device) < chance
            total = total + resize(codes_of(drawn.view(count, side, side, d)), full, "bilinear")
            if i + 1 < len(sides):
                inputs = torch.cat([inputs, tokens_of(total, sides[i + 1])], 1)
        return total
