"""Pictures are laid out as said: pixels are looked up in the files written."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.errors import UserError
from jaxgan.media import PAPER, Grid, Scatter, text_size, ticks, to_uint8

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def plain(colour, height, width):
    return np.full((height, width, 3), colour, np.uint8)


def box(image, colour):
    """Left, top, right, bottom of the pixels of a colour."""
    ys, xs = np.nonzero(np.all(np.asarray(image) == colour, axis=-1))
    return xs.min(), ys.min(), xs.max() + 1, ys.max() + 1


def test_to_uint8_rounds_clips_and_survives_what_is_not_finite():
    values = np.array([-1, 1, 0.5, -3, 3, np.nan, np.inf, 127 / 127.5 - 1], np.float32)
    np.testing.assert_array_equal(to_uint8(values), [0, 255, 191, 0, 255, 0, 0, 127])
    assert to_uint8(jnp.ones([2, 3], jnp.bfloat16)).tolist() == [[255] * 3] * 2


def test_every_uint8_value_comes_back():
    every = np.arange(256)
    np.testing.assert_array_equal(to_uint8(every / 127.5 - 1), every)


def test_grid_keeps_pixels_of_unequal_pictures_apart(tmp_path):
    rows = [[plain(RED, 10, 20), plain(GREEN, 14, 8)], [plain(BLUE, 6, 12)]]
    path = Grid(rows).save(tmp_path / "deep" / "preview_00000100")
    assert path == tmp_path / "deep" / "preview_00000100.png"
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    with Image.open(path) as image:
        red, green, blue = (box(image, colour) for colour in (RED, GREEN, BLUE))
        assert image.getpixel((image.width - 1, image.height - 1)) == PAPER
    assert (red[2] - red[0], red[3] - red[1]) == (20, 10)
    assert (green[2] - green[0], green[3] - green[1]) == (8, 14)
    assert (blue[2] - blue[0], blue[3] - blue[1]) == (12, 6)
    assert green[0] >= red[2] and blue[1] >= max(red[3], green[3])
    assert red[0] + red[2] == blue[0] + blue[2]  # centred in the same column


def test_a_dot_in_the_name_is_no_suffix(tmp_path):
    assert Grid([[plain(RED, 4, 4)]]).save(tmp_path / "a.b").name == "a.b.png"


def test_small_pictures_are_enlarged_by_nearest_neighbour():
    low = np.random.default_rng(0).integers(0, 255, (6, 5, 3), np.uint8)
    image = np.asarray(Grid([[low, plain(RED, 24, 20)]], enlarge=True).draw())
    left, top, _, _ = box(image, RED)
    expected = low.repeat(4, 0).repeat(4, 1)
    columns = [
        x for x in range(left) if np.array_equal(image[top : top + 24, x : x + 20], expected)
    ]
    assert len(columns) == 1


def test_captions_take_room_and_are_checked():
    rows = [[plain(RED, 12, 12), plain(GREEN, 12, 12)]]
    bare = Grid(rows).draw()
    captioned = Grid(rows, ["low-res", "a much longer caption"], ["two\nlines"]).draw()
    assert captioned.width > bare.width + 100 and captioned.height > bare.height + 10
    left, top, right, bottom = box(captioned, RED)
    assert (right - left, bottom - top) == (12, 12)
    above = np.asarray(captioned)[:top, left:]
    beside = np.asarray(captioned)[top:, :left]
    assert above.min() < 100 and beside.min() < 100  # dark ink
    with pytest.raises(ValueError, match="1 captions for 2 columns"):
        Grid(rows, ["one"]).draw()
    with pytest.raises(ValueError, match="2 labels for 1 rows"):
        Grid(rows, labels=["one", "two"]).draw()


def test_a_wide_grid_is_reduced():
    rows = [[plain(RED, 40, 400)] * 4]
    whole, reduced = Grid(rows).draw(), Grid(rows, max_width=500).draw()
    assert whole.width > 1600 and reduced.width == 500
    assert abs(reduced.height - whole.height * 500 / whole.width) <= 0.5


def test_batch_of_grey_floats_and_of_uint8():
    batch = np.stack([np.full((3, 4, 1), v, np.float32) for v in (-1, 0.5, 1)])
    grid = Grid.from_batch(batch, 2, magnify=3)
    assert [len(row) for row in grid.rows] == [2, 1]
    values = set(np.unique(np.asarray(grid.draw())))
    assert values == {0, 191, 255}
    assert Grid.from_batch(to_uint8(batch), 2).rows[0][1][0, 0, 0] == 191


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8)])
def test_what_is_no_picture_is_refused(bad):
    with pytest.raises(ValueError, match="a picture is uint8"):
        Grid([[bad]]).draw()


def test_an_empty_grid_is_refused():
    with pytest.raises(ValueError, match="at least one picture"):
        Grid([[]]).draw()


def test_a_folder_that_cannot_be_written_is_a_user_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot write .*file"):
        Grid([[plain(RED, 4, 4)]]).save(tmp_path / "file" / "grid")


def test_scatter_draws_points_where_they_are():
    points = {"real": np.array([[0.5, 0.5]]), "fake": np.array([[-0.5, 0.0], [9, 9], [np.nan, 0]])}
    image = np.asarray(Scatter(points, (-1.0, 1.0), size=400).draw()).astype(int)
    plot = image[62:400, 46:386]  # the axes begin below a legend of two lines
    blue = np.argwhere(plot[..., 2] - plot[..., 0] > 80)
    orange = np.argwhere(plot[..., 0] - plot[..., 2] > 80)
    np.testing.assert_allclose(blue.mean(0), [85, 255], atol=2)
    np.testing.assert_allclose(orange.mean(0), [170, 85], atol=2)


def test_scatter_wants_two_dimensions():
    with pytest.raises(ValueError, match="shape \\[n, 2\\]"):
        Scatter({"real": np.zeros((4, 3))}, (-1.0, 1.0)).draw()


def test_ticks_are_round_and_within():
    assert ticks(0.0, 1.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert ticks(-0.31, 0.32, 3) == [-0.2, 0.0, 0.2]
    assert ticks(0, 60000, 4) == [0, 20000, 40000, 60000]
    assert ticks(2.0, 2.0) == [2.0]


def test_text_with_line_breaks_is_higher():
    from PIL import ImageFont

    font = ImageFont.load_default(12.0)
    assert text_size("a\nb", font)[1] > 1.5 * text_size("a", font)[1]
