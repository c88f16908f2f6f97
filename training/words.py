"""The words of the captions: colours, styles, numbers, articles and plurals."""

# Red, green and blue of the backgrounds, 0..1.
COLOURS = {
    "red": (0.86, 0.22, 0.20),
    "orange": (0.97, 0.60, 0.20),
    "yellow": (0.99, 0.87, 0.35),
    "green": (0.35, 0.70, 0.36),
    "blue": (0.26, 0.50, 0.88),
    "purple": (0.56, 0.36, 0.78),
    "pink": (0.97, 0.66, 0.78),
    "brown": (0.52, 0.36, 0.26),
    "black": (0.06, 0.06, 0.08),
    "white": (1.0, 1.0, 1.0),
    "gray": (0.60, 0.62, 0.65),
    "light blue": (0.70, 0.86, 0.97),
}
STYLES = ["flat", "cartoon", "3d"]
NUMBERS = {2: "two", 3: "three", 4: "four"}
IRREGULAR = {
    "mouse": "mice",
    "leaf": "leaves",
    "wolf": "wolves",
    "knife": "knives",
    "loaf": "loaves",
    "man": "men",
    "snowman": "snowmen",
    "woman": "women",
    "person": "people",
    "foot": "feet",
    "tooth": "teeth",
    "fish": "fish",
    "sheep": "sheep",
    "goose": "geese",
    "cactus": "cacti",
    "octopus": "octopuses",
}
JOINS = (" with ", " of ", " in ", " on ", " without ", " and ", " behind ")


def head_and_tail(name):
    """Splits 'slice of pizza' into its head noun phrase and the rest."""
    cut = min([name.find(j) for j in JOINS if j in name], default=len(name))
    return name[:cut], name[cut:]


def is_plural(name):
    head = head_and_tail(name)[0]
    return head.endswith("s") and not head.endswith(("ss", "us", "is", "bus", "lens"))


def with_article(name):
    """'red apple' -> 'a red apple'; plural names stay as they are."""
    return name if is_plural(name) else ("an " if name[0] in "aeiou" else "a ") + name


def plural(name):
    """'red apple' -> 'red apples'; only the head noun changes."""
    head, tail = head_and_tail(name)
    if is_plural(name):
        return name
    rest, _, noun = head.rpartition(" ")
    if noun in IRREGULAR:
        noun = IRREGULAR[noun]
    elif noun.endswith("y") and noun[-2:-1] not in "aeiou":
        noun = noun[:-1] + "ies"
    else:
        noun += "es" if noun.endswith(("s", "x", "z", "ch", "sh")) else "s"
    return (rest + " " + noun).strip() + tail
