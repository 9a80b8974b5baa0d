# %% [markdown]
# # Homework 4, question 3 – a Vision Transformer for CIFAR-10
#
# Dosovitskiy et al., An Image Is Worth 16x16 Words (2021), part 3.1; attention from Vaswani et al., Attention Is All You
# Need (2017), part 3.2.
#
# Nothing else may be imported. Of the built-in layers only `nn.Conv2d`, `nn.Linear`, activation and normalisation layers
# may be used beside those that are given here.
#
# The letters of the shapes: `B` images, `C` channels, `N` patches, `E` embedding size (`dim`), `h` heads, `d = E / h`.

# %%
import torch
import torch.nn as nn
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
from tqdm.auto import tqdm

# %% [markdown]
# ## Tools (given)


# %%
def train(model, train_loader, optimizer, criterion, DEVICE):
    """One epoch."""
    model.train()
    for image, label in tqdm(train_loader):
        image, label = image.to(DEVICE), label.to(DEVICE)
        optimizer.zero_grad()
        loss = criterion(model(image), label)
        loss.backward()
        optimizer.step()


def evaluate(model, test_loader, criterion, DEVICE):
    """(mean loss of the batches, accuracy in per cent)"""
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for image, label in tqdm(test_loader):
            image, label = image.to(DEVICE), label.to(DEVICE)
            output = model(image)
            test_loss += criterion(output, label).item()
            correct += (output.argmax(dim=1) == label).sum().item()
    return test_loss / len(test_loader), 100.0 * correct / len(test_loader.dataset)


# %% [markdown]
# ## (a) Patches


# %%
class Patchification(nn.Module):
    """Question (a): images → embedded patches that do not overlap, row by row. Only torch.nn.Conv2d may be used.

    (B, C, height, width) -> (B, N, E)
    """

    def __init__(self, in_channels, patch_size, embedding_dim):
        """patch_size is (height, width). The embedding size is the number of channels that the convolution gives."""
        super().__init__()
        # BEGIN SOLUTION
        self.projection = nn.Conv2d(in_channels, embedding_dim, kernel_size=patch_size, stride=patch_size)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        return self.projection(x).flatten(2).transpose(1, 2)  # (B, E, rows, columns) -> (B, E, N) -> (B, N, E)
        # END SOLUTION


# %% [markdown]
# ## The feed-forward layer (given)


# %%
class MLP(nn.Module):
    """(B, N, E) -> (B, N, E)"""

    def __init__(self, dim, hidden_dim, dropout=0.0):
        super().__init__()
        self.layer = nn.Sequential(
            nn.Linear(dim, hidden_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, dim),
            nn.Dropout(dropout),
        )

    def forward(self, x):
        return self.layer(x)


# %% [markdown]
# ## (b) Attention, (c) block


# %%
class Attention(nn.Module):
    """Question (b): multi-head attention. Without heads (vanilla attention) it earns at most 5 points.

    (B, N, E) -> (B, N, E)
    """

    def __init__(self, dim, num_heads, dropout=0.0):
        super().__init__()
        self.head_dim = dim // num_heads
        self.dim = dim
        self.num_heads = num_heads
        self.scale = self.head_dim**0.5  # scores are divided by it; without heads it has to be dim ** 0.5
        self.dropout = nn.Dropout(dropout)
        # Define the projections.
        # BEGIN SOLUTION
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        # END SOLUTION

    def forward(self, x):
        # BEGIN SOLUTION
        batch, count, _ = x.shape
        parts = self.qkv(x).view(batch, count, 3, self.num_heads, self.head_dim)  # (B, N, 3, h, d)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # 3 × (B, h, N, d)
        scores = query @ key.transpose(-2, -1) / self.scale  # (B, h, N, N)
        weights = self.dropout(scores.softmax(dim=-1))
        heads = weights @ value  # (B, h, N, d)
        return self.out(heads.transpose(1, 2).reshape(batch, count, self.dim))  # (B, N, E)
        # END SOLUTION


class Block(nn.Module):
    """Question (c): the grey box of the Transformer encoder in the ViT paper's figure 1.

    (B, N, E) -> (B, N, E)
    """

    def __init__(self, dim, num_heads, mlp_dim, dropout=0.0):
        super().__init__()
        self.LN1 = nn.LayerNorm(dim)
        self.LN2 = nn.LayerNorm(dim)
        # BEGIN SOLUTION
        self.attention = Attention(dim, num_heads, dropout)
        self.mlp = MLP(dim, mlp_dim, dropout)
        # END SOLUTION

    def forward(self, x):
        # Mind the residual connections.
        # BEGIN SOLUTION
        x = x + self.attention(self.LN1(x))
        return x + self.mlp(self.LN2(x))
        # END SOLUTION


# %% [markdown]
# ## (d) The Vision Transformer


# %%
class ViT(nn.Module):
    """Question (d)."""

    def __init__(self, image_shape, patch_size, num_classes, dim, num_heads, depth, mlp_dim, dropout=0.0):
        """image_shape (channels, height, width), patch_size (height, width), depth: number of blocks"""
        super().__init__()
        image_ch, image_h, image_w = image_shape
        patch_h, patch_w = patch_size
        assert image_h % patch_h == 0 and image_w % patch_w == 0, "the patches must tile the image"
        assert dim % num_heads == 0, "the embedding must be divisible by the number of heads"
        num_patches = (image_h // patch_h) * (image_w // patch_w)

        # self.patchify, the learnable self.pos_embedding (1, 1 + N, E) and the learnable self.cls_token (1, 1, E)
        # BEGIN SOLUTION
        self.patchify = Patchification(image_ch, patch_size, dim)
        self.pos_embedding = nn.Parameter(torch.randn(1, 1 + num_patches, dim) * 0.02)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        # END SOLUTION

        self.attention_blocks = nn.ModuleList([Block(dim, num_heads, mlp_dim, dropout) for _ in range(depth)])
        self.classification_head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, num_classes))

    def forward(self, img):
        """Prepend the class token to the patches, add the positions, run the blocks, classify with the class token.

        (B, C, height, width) -> (B, classes)
        """
        # BEGIN SOLUTION
        patches = self.patchify(img)  # (B, N, E)
        first = self.cls_token.expand(len(img), -1, -1)  # (B, 1, E)
        x = torch.cat([first, patches], dim=1) + self.pos_embedding  # (B, 1 + N, E)
        for block in self.attention_blocks:
            x = block(x)
        return self.classification_head(x[:, 0])
        # END SOLUTION


# %% [markdown]
# ## (e) Training
# The accuracy on the test images should reach 65 %. The log and the final accuracy must be in the output of the last
# cell.

# %%
DEVICE = torch.device("cuda") if torch.cuda.is_available() else torch.device("cpu")
BATCH_SIZE = 100
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)

train_transform = transforms.Compose(
    [transforms.RandomHorizontalFlip(), transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)]
)
test_transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)])
trainset = datasets.CIFAR10(root="./data", train=True, download=True, transform=train_transform)
testset = datasets.CIFAR10(root="./data", train=False, download=True, transform=test_transform)
trainloader = DataLoader(trainset, batch_size=BATCH_SIZE, shuffle=True)
testloader = DataLoader(testset, batch_size=BATCH_SIZE, shuffle=False)

# %%
EPOCHS = 10
patch_size = (4, 4)
dim = 128
depth = 8
num_heads = 8
mlp_dim = 256
dropout = 0.0
learning_rate = 0.001

model = ViT((3, 32, 32), patch_size, 10, dim, num_heads, depth, mlp_dim, dropout).to(DEVICE)
optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
criterion = nn.CrossEntropyLoss()

# %%
for epoch in range(1, EPOCHS + 1):
    train(model, trainloader, optimizer, criterion, DEVICE)
    test_loss, test_accuracy = evaluate(model, testloader, criterion, DEVICE)
    print(f"[EPOCH: {epoch}], Model: ViT, Test Loss: {test_loss:.4f}, Test Accuracy: {test_accuracy:.2f} %")
