"""CIFAR-10 and MNIST in every format, broken files, and the cache of decoded images."""

import gzip
import pickle

import numpy as np
import pytest
import torch
from dataset_examples import binary, idx_bytes, jpeg_arrays, npz_bytes, pickled, pickled_by_python2, pictures, put

from grader.assignment import locate
from grader.datasets import images
from grader.datasets.images import cifar10, mnist
from grader.datasets.source import DamagedData, DataSource, MissingData

BATCHES = (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder / "dl-grader"


def batches(folder, suffix="", packed=False, unlike=None):
    """Six files of ten pictures; `unlike` gives one of them another content. What they hold is returned."""
    held = {}
    for seed, name in enumerate(BATCHES):
        held[name] = pictures(10, seed=seed)
        data = binary(*held[name]) if suffix else pickled(*held[name])
        put(folder / f"{name}{suffix}", (unlike or {}).get(name, data), packed)
    return held


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("folder", "suffix"),
    [
        ("cifar-10-batches-py", ""),
        ("cifar10/cifar-10-batches-py", ""),
        ("cifar-10-batches-bin", ".bin"),
        ("cifar10", ".bin"),
    ],
)
def test_cifar_batches_become_pictures_with_channels_last(tmp_path, folder, suffix, packed):
    held = batches(tmp_path / folder, suffix, packed)
    found = cifar10(DataSource(tmp_path))
    assert found.train_images.shape == (50, 32, 32, 3)
    assert found.train_images.dtype == torch.uint8
    assert found.train_labels.dtype == torch.int64
    assert np.array_equal(found.train_images[20:30], held["data_batch_3"][0])
    assert found.train_labels[20:30].tolist() == held["data_batch_3"][1].tolist()
    assert np.array_equal(found.test_images, held["test_batch"][0])
    assert found.name == "CIFAR-10 of unknown origin"


@pytest.mark.parametrize(
    "pack",
    [
        pickled_by_python2,
        pickled,
        lambda images, labels: pickled(images, labels, ("data", "labels"), 5),
    ],
    ids=["Python 2", "bytes as keys", "newest protocol"],
)
def test_batches_pickled_by_any_python_are_read(tmp_path, pack):
    images, labels = pictures(10)
    batches(tmp_path / "cifar10", unlike={"data_batch_1": pack(images, labels)})
    found = cifar10(DataSource(tmp_path))
    assert np.array_equal(found.train_images[:10], images)
    assert found.train_labels[:10].tolist() == labels.tolist()


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_batch_that_names_a_function_is_refused_and_not_run(tmp_path):
    target = tmp_path / "made-by-the-pickle"
    batches(tmp_path / "cifar10", unlike={"data_batch_2": pickle.dumps({"data": Harmful(target)})})
    with pytest.raises(DamagedData, match=r"it names .*open"):
        cifar10(DataSource(tmp_path))
    assert not target.exists()


PICTURES, LABELS = pictures(10)
FLAT = PICTURES.reshape(10, -1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (pickled(PICTURES, LABELS)[:-300], "cannot be unpickled"),
        (b"no pickle at all", "cannot be unpickled"),
        (pickle.dumps([1, 2]), "it holds list"),
        (pickle.dumps({"data": FLAT}), r"it holds \['data'\]"),
        (pickle.dumps({"data": FLAT, "labels": [1] * 9}), r"data \(10, 3072\) uint8, 9 labels"),
        (pickle.dumps({"data": FLAT.astype(float), "labels": [1] * 10}), "float64"),
        (pickle.dumps({"data": FLAT, "labels": ["1"] * 10}), "10 labels"),
        (pickle.dumps({"data": FLAT, "labels": [10] * 10}), "labels from 10 to 10"),
    ],
)
def test_broken_batches_are_damaged(tmp_path, data, words):
    batches(tmp_path / "cifar10", unlike={"data_batch_4": data})
    with pytest.raises(DamagedData, match=words) as caught:
        cifar10(DataSource(tmp_path))
    assert caught.value.path.name == "data_batch_4"


def test_a_binary_batch_cut_short_is_damaged(tmp_path):
    batches(tmp_path / "cifar10", ".bin", unlike={"test_batch": binary(*pictures(10))[:-1]})
    with pytest.raises(DamagedData, match="9 images and 3,072 bytes left over"):
        cifar10(DataSource(tmp_path))


def test_five_batches_are_not_the_set(tmp_path):
    batches(tmp_path / "cifar10")
    (tmp_path / "cifar10" / "data_batch_5").unlink()
    with pytest.raises(MissingData, match="cifar10 lacks data_batch_5"):
        cifar10(DataSource(tmp_path))


def jpeg_set(change=None):
    """(bytes of the .npz, the pixels of its training files); `change` edits the arrays before they are written."""
    train, pixels = jpeg_arrays(*pictures(12), "train")
    test, _ = jpeg_arrays(*pictures(10, seed=1), "test")
    arrays = {**train, **test}
    if change is not None:
        change(arrays)
    return npz_bytes(**arrays), pixels


def test_jpeg_files_are_decoded_once(tmp_path, monkeypatch, cache):
    data, pixels = jpeg_set()
    put(tmp_path / "cifar10" / "cifar10_jpeg.npz", data)
    first = cifar10(DataSource(tmp_path))
    assert np.array_equal(first.train_images, pixels)
    assert [path.suffix for path in cache.iterdir()] == [".npz"]
    monkeypatch.setattr(images, "jpeg_images", lambda *_: pytest.fail("decoded again"))
    second = cifar10(DataSource(tmp_path))
    assert torch.equal(first.train_images, second.train_images)
    assert torch.equal(first.test_images, second.test_images)
    assert first.digest == second.digest


@pytest.mark.parametrize("damage", ["cut", "changed", "other arrays", "other shape", "nothing"])
def test_a_damaged_cache_is_ignored_and_replaced(tmp_path, cache, damage):
    data, pixels = jpeg_set()
    put(tmp_path / "cifar10" / "cifar10_jpeg.npz", data)
    cifar10(DataSource(tmp_path))
    (kept,) = cache.iterdir()
    whole = kept.read_bytes()
    half = len(whole) // 2
    damaged = {
        "cut": whole[:half],
        "changed": whole[:half] + bytes([whole[half] ^ 1]) + whole[half + 1 :],
        "other arrays": npz_bytes(train=pixels),
        "other shape": npz_bytes(train=pixels[:5], test=pixels[:10]),
        "nothing": b"",
    }[damage]
    kept.write_bytes(damaged)
    assert np.array_equal(cifar10(DataSource(tmp_path)).train_images, pixels)
    assert len(kept.read_bytes()) == len(whole)
    assert list(cache.iterdir()) == [kept]


def test_a_cache_that_cannot_be_written_costs_only_time(tmp_path, monkeypatch):
    put(tmp_path / "a file", "no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    data, pixels = jpeg_set()
    put(tmp_path / "cifar10" / "cifar10_jpeg.npz", data)
    assert np.array_equal(cifar10(DataSource(tmp_path)).train_images, pixels)


def test_the_cache_lies_where_the_platform_keeps_caches(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(locate.sys, "platform", "linux")
    assert locate.cache_folder().parts[-2:] == (".cache", "dl-grader")
    monkeypatch.setattr(locate.sys, "platform", "darwin")
    assert locate.cache_folder().parts[-3:] == ("Library", "Caches", "dl-grader")


def shorten(name, count):
    def change(arrays):
        arrays[name] = arrays[name][:count]

    return change


def break_first_file(arrays):
    arrays["test_jpeg"] = arrays["test_jpeg"].copy()
    arrays["test_jpeg"][: arrays["test_offsets"][1]] = 0


def exchange_offsets(arrays):
    arrays["train_offsets"][[3, 4]] = arrays["train_offsets"][[4, 3]]


def enlarge(arrays):
    arrays.update(jpeg_arrays(*pictures(10, side=64), "test")[0])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (shorten("train_jpeg", -1), "train_offsets .* do not fit"),
        (shorten("train_offsets", -1), "do not fit"),
        (shorten("test_labels", 3), "do not fit"),
        (exchange_offsets, "do not fit"),
        (break_first_file, "image 0 of test_jpeg cannot be decoded"),
        (enlarge, "image 0 of test_jpeg cannot be decoded .*64 × 64"),
        (lambda arrays: arrays.pop("test_offsets"), "expected an array test_offsets"),
    ],
)
def test_jpeg_sets_that_do_not_fit_are_damaged(tmp_path, change, words, cache):
    put(tmp_path / "cifar10" / "cifar10_jpeg.npz", jpeg_set(change)[0])
    with pytest.raises(DamagedData, match=words):
        cifar10(DataSource(tmp_path))
    assert not cache.exists()


def test_without_pillow_the_message_says_what_to_install(tmp_path, monkeypatch):
    put(tmp_path / "cifar10" / "cifar10_jpeg.npz", jpeg_set()[0])
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingData, match="pip install pillow"):
        cifar10(DataSource(tmp_path))


def test_an_npz_of_pixels_is_read(tmp_path):
    train, test = pictures(12), pictures(10, seed=1)
    arrays = npz_bytes(train_images=train[0], train_labels=train[1], test_images=test[0], test_labels=test[1])
    put(tmp_path / "cifar10" / "cifar10.npz", arrays)
    assert np.array_equal(cifar10(DataSource(tmp_path)).train_images, train[0])


def digits():
    return {
        "train_images": pictures(12, 28, 0)[0],
        "train_labels": pictures(12)[1].astype(np.uint8),
        "test_images": pictures(10, 28, 0, seed=1)[0],
        "test_labels": pictures(10, seed=1)[1].astype(np.uint8),
    }


IDX_NAMES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
KERAS_NAMES = {"train_images": "x_train", "train_labels": "y_train", "test_images": "x_test", "test_labels": "y_test"}


def put_idx(folder, packed=False, unlike=None):
    for role, array in digits().items():
        put(folder / IDX_NAMES[role], (unlike or {}).get(role, idx_bytes(array)), packed)


def put_npz(folder, names):
    put(folder / "mnist.npz", npz_bytes(**{names[role]: array for role, array in digits().items()}))


@pytest.mark.parametrize(
    "write",
    [
        lambda root: put_idx(root / "mnist"),
        lambda root: put_idx(root / "MNIST" / "raw", packed=True),
        lambda root: put_npz(root / "mnist", {role: role for role in IDX_NAMES}),
        lambda root: put_npz(root / "mnist", KERAS_NAMES),
    ],
    ids=["idx", "packed idx", "npz", "Keras's npz"],
)
def test_mnist_is_read_from_every_format(tmp_path, write):
    write(tmp_path)
    found, held = mnist(DataSource(tmp_path)), digits()
    assert found.train_images.shape == (12, 28, 28, 1)
    assert np.array_equal(found.train_images[..., 0], held["train_images"])
    assert found.test_labels.tolist() == held["test_labels"].tolist()
    assert found.test_labels.dtype == torch.int64
    assert found.name == "MNIST of unknown origin"


def test_repacking_an_npz_does_not_change_its_digest(tmp_path):
    put_npz(tmp_path / "a" / "mnist", KERAS_NAMES)
    np.savez_compressed(tmp_path / "b.npz", **{KERAS_NAMES[role]: array for role, array in reversed(digits().items())})
    put(tmp_path / "b" / "mnist" / "mnist.npz", (tmp_path / "b.npz").read_bytes(), packed=True)
    first, second = (mnist(DataSource(tmp_path / root)).digest for root in "ab")
    assert first == second


TEST_IMAGES = idx_bytes(digits()["test_images"])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (TEST_IMAGES[:-1], r"7,839 bytes after the header; expected 7,840 bytes for the shape \(10, 28, 28\)"),
        (TEST_IMAGES + b"\0", "7,841 bytes"),
        (TEST_IMAGES[:10], "inside its header"),
        (b"\0\0\x0d\x03" + TEST_IMAGES[4:], "begins with 00 00 0d 03"),
        (idx_bytes(digits()["test_images"][:9]), r"test_images \(9, 28, 28\) uint8 and test_labels \(10,\)"),
        (idx_bytes(digits()["test_images"][:, :20]), r"images \(N, 28, 28\)"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "0 bytes after the header"),
    ],
)
def test_broken_idx_files_are_damaged(tmp_path, data, words):
    put_idx(tmp_path / "mnist", unlike={"test_images": data})
    with pytest.raises(DamagedData, match=words) as caught:
        mnist(DataSource(tmp_path))
    assert caught.value.path.name == "t10k-images-idx3-ubyte"


def objects():
    return npz_bytes(x_train=np.array([{}], dtype=object))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (npz_bytes(**digits())[:-40], "cannot be read"),
        (npz_bytes(**digits())[: 12 * 784], "cannot be read"),
        (b"no archive", "cannot be read"),
        (objects(), "cannot be read .*allow_pickle"),
        (npz_bytes(x_train=digits()["train_images"]), "expected an array train_labels"),
        (npz_bytes(**{**digits(), "test_labels": np.full(10, 11)}), "labels from 11 to 11"),
    ],
)
def test_broken_npz_files_are_damaged(tmp_path, data, words):
    put(tmp_path / "mnist" / "mnist.npz", data)
    with pytest.raises(DamagedData, match=words):
        mnist(DataSource(tmp_path))


@pytest.mark.parametrize(("load", "words"), [(cifar10, "Krizhevsky"), (mnist, "train-images-idx3-ubyte")])
def test_missing_sets_are_named(tmp_path, load, words):
    with pytest.raises(MissingData, match=words):
        load(DataSource(tmp_path))


def test_gzip_cut_short_is_damaged_in_every_format(tmp_path):
    put_idx(tmp_path / "mnist", packed=True)
    path = tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DamagedData, match="cut short"):
        mnist(DataSource(tmp_path))
    put(tmp_path / "other" / "mnist" / "mnist.npz.gz", gzip.compress(npz_bytes(**digits()))[:-20])
    with pytest.raises(DamagedData, match="cannot be read"):
        mnist(DataSource(tmp_path / "other"))
