"""Pictures made by whole-number arithmetic, the same here and in test/support/pictures.ts."""


def grain(x, y, c, salt):
    mixed = ((x + 97 * salt) * 73856093) ^ (y * 19349663) ^ (c * 83492791)
    return ((mixed & 0xFFFFFFFF) >> 8) & 31


def scene(x, y, c):
    folds = 2 * abs((x * (3 + c) + 5 * y) % 128 - 64)
    slopes = abs((y * (7 - c) + 2 * x) % 100 - 50)
    return folds + slopes + grain(x, y, c, 0)
