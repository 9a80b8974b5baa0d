import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def batch_of_timesteps(t, batch_size, device):
    """int, 0-d, (1,) or (B,) time -> tensor (B,)"""
    t = torch.as_tensor(t, device=device)
    if t.dim() == 0:
        t = t[None]
    return t.expand(batch_size)


class SinusoidalPosEmb(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, t):
        half = self.dim // 2
        freq = torch.exp(torch.arange(half, device=t.device) * (-math.log(10000) / (half - 1)))
        arg = t[:, None].float() * freq[None, :]
        return torch.cat([arg.sin(), arg.cos()], dim=-1)


class TesterModel(nn.Module):
    """One linear layer, only for tests."""

    def __init__(self, input_shape, c):
        super().__init__()
        x, y = input_shape
        self.fc1 = nn.Linear(x * y + c, x * y)

    def forward(self, sample, t, cond):
        t = batch_of_timesteps(t, sample.shape[0], sample.device)
        h = (sample + t.view(-1, 1, 1) / 100).flatten(start_dim=1)
        return self.fc1(torch.cat([h, cond], dim=1)).view(sample.shape)


# ----------------------------------------------------------------- 1-D
class Conv1dBlock(nn.Module):
    def __init__(self, c_in, c_out, kernel=3, groups=8):
        super().__init__()
        self.block = nn.Sequential(nn.Conv1d(c_in, c_out, kernel, padding=kernel // 2),
                                   nn.GroupNorm(groups, c_out), nn.Mish())

    def forward(self, x):
        return self.block(x)


class ConditionalResBlock1D(nn.Module):
    def __init__(self, c_in, c_out, cond_dim):
        super().__init__()
        self.b1 = Conv1dBlock(c_in, c_out)
        self.b2 = Conv1dBlock(c_out, c_out)
        self.cond = nn.Sequential(nn.Mish(), nn.Linear(cond_dim, 2 * c_out))
        self.skip = nn.Conv1d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x, cond):
        scale, bias = self.cond(cond).unsqueeze(-1).chunk(2, dim=1)
        return self.b2(scale * self.b1(x) + bias) + self.skip(x)


class ConditionalUnet1D(nn.Module):
    def __init__(self, input_dim, global_cond_dim, step_dim=128, dims=(64, 128, 256)):
        super().__init__()
        self.time = nn.Sequential(SinusoidalPosEmb(step_dim), nn.Linear(step_dim, 4 * step_dim),
                                  nn.Mish(), nn.Linear(4 * step_dim, step_dim))
        cd = step_dim + global_cond_dim
        self.stem = ConditionalResBlock1D(input_dim, dims[0], cd)
        self.down = nn.ModuleList(ConditionalResBlock1D(a, b, cd) for a, b in zip(dims[:-1], dims[1:]))
        self.mid = ConditionalResBlock1D(dims[-1], dims[-1], cd)
        self.up = nn.ModuleList(ConditionalResBlock1D(b + a, a, cd)
                                for a, b in zip(dims[:-1][::-1], dims[1:][::-1]))
        self.final = nn.Conv1d(dims[0], input_dim, 1)

    def forward(self, sample, timestep, global_cond):
        t = batch_of_timesteps(timestep, sample.shape[0], sample.device)
        cond = torch.cat([self.time(t), global_cond.flatten(1)], dim=-1)
        x = self.stem(sample.transpose(1, 2), cond)
        skips = []
        for block in self.down:
            skips.append(x)
            x = block(F.avg_pool1d(x, 2, ceil_mode=True), cond)
        x = self.mid(x, cond)
        for block in self.up:
            s = skips.pop()
            x = F.interpolate(x, size=s.shape[-1])
            x = block(torch.cat([x, s], dim=1), cond)
        return self.final(x).transpose(1, 2)


# ----------------------------------------------------------------- 2-D
class SelfAttention(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.mha = nn.MultiheadAttention(channels, 4, batch_first=True)
        self.ff = nn.Sequential(nn.LayerNorm(channels), nn.Linear(channels, channels),
                                nn.GELU(), nn.Linear(channels, channels))

    def forward(self, x):
        b, c, h, w = x.shape
        z = x.flatten(2).transpose(1, 2)
        n = self.norm(z)
        z = z + self.mha(n, n, n, need_weights=False)[0]
        z = z + self.ff(z)
        return z.transpose(1, 2).reshape(b, c, h, w)


class DoubleConv(nn.Module):
    def __init__(self, c_in, c_out, residual=False):
        super().__init__()
        self.residual = residual
        self.net = nn.Sequential(
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False), nn.GroupNorm(1, c_out), nn.GELU(),
            nn.Conv2d(c_out, c_out, 3, padding=1, bias=False), nn.GroupNorm(1, c_out))

    def forward(self, x):
        return F.gelu(x + self.net(x)) if self.residual else self.net(x)


class Down(nn.Module):
    def __init__(self, c_in, c_out, emb=128):
        super().__init__()
        self.net = nn.Sequential(nn.MaxPool2d(2), DoubleConv(c_in, c_in, True), DoubleConv(c_in, c_out))
        self.emb = nn.Sequential(nn.SiLU(), nn.Linear(emb, c_out))

    def forward(self, x, e):
        return self.net(x) + self.emb(e)[:, :, None, None]


class Up(nn.Module):
    def __init__(self, c_in, c_out, emb=128):
        super().__init__()
        self.net = nn.Sequential(DoubleConv(c_in, c_in, True), DoubleConv(c_in, c_out))
        self.emb = nn.Sequential(nn.SiLU(), nn.Linear(emb, c_out))

    def forward(self, x, skip, e):
        x = F.interpolate(x, size=skip.shape[-2:], mode="bilinear", align_corners=True)
        return self.net(torch.cat([skip, x], dim=1)) + self.emb(e)[:, :, None, None]


class ConditionalUnet2D(nn.Module):
    def __init__(self, input_dim, c_in, c_out, global_cond_dim, time_dim=128):
        super().__init__()
        self.input_dim = input_dim
        self.pos = SinusoidalPosEmb(time_dim)
        self.label_emb = nn.Embedding(global_cond_dim, time_dim)
        self.inc = DoubleConv(c_in, 32)
        self.down1, self.sa1 = Down(32, 64), SelfAttention(64)
        self.down2, self.sa2 = Down(64, 128), SelfAttention(128)
        self.down3, self.sa3 = Down(128, 128), SelfAttention(128)
        self.bot = nn.Sequential(DoubleConv(128, 256), DoubleConv(256, 128))
        self.up1, self.sa4 = Up(256, 64), SelfAttention(64)
        self.up2, self.sa5 = Up(128, 32), SelfAttention(32)
        self.up3, self.sa6 = Up(64, 32), SelfAttention(32)
        self.outc = nn.Conv2d(32, c_out, 1)

    def forward(self, x, t, y):
        e = self.pos(batch_of_timesteps(t, x.shape[0], x.device)) + self.label_emb(y)
        x1 = self.inc(x)
        x2 = self.sa1(self.down1(x1, e))
        x3 = self.sa2(self.down2(x2, e))
        x4 = self.bot(self.sa3(self.down3(x3, e)))
        h = self.sa4(self.up1(x4, x3, e))
        h = self.sa5(self.up2(h, x2, e))
        h = self.sa6(self.up3(h, x1, e))
        return self.outc(h)
