"""What is in a PDF, by pikepdf: an independent reader of the fixtures.

Reads the names of files, prints one JSON object: name to lines. It knows the operators that the fixtures use, and computes
with them; it judges nothing. Lines: `pages=1`, `page 1 UserUnit=2.000`, `text size=7.990`, `line size=0.250`,
`fill size=1.000` (the smaller side of a filled path's box), `image ppi=149.00` (the smaller axis), `colorant Gold`,
`font Courier`, `space DeviceRGB`, `alternate ICCBased RGB`, `group page DeviceRGB`, `layer Art on`, `step Structural/Cutting`, `configs 1`, `intent GTS_PDFX CMYK`.
"""

import json
import math
import sys
import zlib

import pikepdf


def times(first, second):
    a, b, c, d, e, f = first
    g, h, i, j, k, l = second
    return (a * g + b * i, a * h + b * j, c * g + d * i, c * h + d * j, e * g + f * i + k, e * h + f * j + l)


def scales(matrix):
    """Lengths of the unit vectors along x and y."""
    return math.hypot(matrix[0], matrix[1]), math.hypot(matrix[2], matrix[3])


def colorants(space):
    if isinstance(space, pikepdf.Array) and len(space) > 1:
        if space[0] == "/Separation":
            return [str(space[1])[1:]]
        if space[0] == "/DeviceN":
            return [str(name)[1:] for name in space[1]]
    return []


def family(space):
    """A space's family, of an ICCBased one with the space of its profile's data."""
    if not isinstance(space, pikepdf.Array):
        return str(space)[1:]
    name = str(space[0])[1:]
    if name == "ICCBased":
        return name + " " + bytes(space[1].read_bytes())[16:20].decode("latin-1").strip()
    return name


# Operators that choose a space and a colour at once.
DEVICE = {"g": "Gray", "G": "Gray", "rg": "RGB", "RG": "RGB", "k": "CMYK", "K": "CMYK"}


class Painter:
    def __init__(self, resources, matrix, lines):
        self.resources, self.lines = resources, lines
        self.ctm, self.width, self.stack, self.path = matrix, 1.0, [], []
        self.font, self.size, self.tm, self.start = None, 0.0, (1, 0, 0, 1, 0, 0), None

    def entry(self, kind, name):
        return self.resources.get(kind, {}).get(str(name))

    def say(self, line):
        self.lines.append(line)

    def image(self, width, height):
        x, y = scales(self.ctm)
        self.say("image ppi=%.2f" % min(float(width) * 72 / x, float(height) * 72 / y))

    def corner(self, x, y):
        self.path.append((float(x), float(y)))

    def paint_path(self, operator):
        if operator in ("S", "s", "B", "B*", "b", "b*"):
            self.say("line size=%.3f" % (self.width * min(scales(self.ctm))))
        if operator in ("f", "F", "f*", "B", "B*", "b", "b*") and self.path:
            a, b, c, d, _, _ = self.ctm
            points = [(a * x + c * y, b * x + d * y) for x, y in self.path]
            sides = [max(values) - min(values) for values in zip(*points)]
            self.say("fill size=%.3f" % min(sides))
        self.path = []

    def show(self):
        matrix = times(self.tm, self.ctm)
        self.say("text size=%.3f" % (self.size * scales(matrix)[1]))
        if self.font is not None:
            self.say("font " + str(self.font["/BaseFont"])[1:])

    def use_space(self, space):
        """Says a space that is painted in; Indexed ones by their base, those of colorants with their alternate."""
        if isinstance(space, pikepdf.Array) and space[0] == "/Indexed":
            space = space[1]
        self.say("space " + family(space))
        for colorant in colorants(space):
            self.say("colorant " + colorant)
        if colorants(space):
            self.say("alternate " + family(space[2]))

    def run(self, operands, operator):
        if operator == "q":
            self.stack.append((self.ctm, self.width))
        elif operator == "Q":
            self.ctm, self.width = self.stack.pop()
        elif operator == "cm":
            self.ctm = times(tuple(map(float, operands)), self.ctm)
        elif operator == "w":
            self.width = float(operands[0])
        elif operator in ("m", "l"):
            self.corner(*operands)
        elif operator == "re":
            x, y, width, height = map(float, operands)
            self.corner(x, y)
            self.corner(x + width, y + height)
        elif operator in ("S", "s", "f", "F", "f*", "B", "B*", "b", "b*", "n"):
            self.paint_path(operator)
        elif operator == "BT":
            self.tm = (1, 0, 0, 1, 0, 0)
        elif operator == "Tf":
            self.font, self.size = self.entry("/Font", operands[0]), float(operands[1])
        elif operator == "Td":
            self.tm = times((1, 0, 0, 1, float(operands[0]), float(operands[1])), self.tm)
        elif operator == "Tm":
            self.tm = tuple(map(float, operands))
        elif operator == "Tj":
            self.show()
        elif operator in DEVICE:
            self.say("space Device" + DEVICE[operator])
        elif operator in ("cs", "CS"):
            named = self.entry("/ColorSpace", operands[0])
            self.use_space(operands[0] if named is None else named)
        elif operator == "scn" and isinstance(operands[-1], pikepdf.Name):
            pattern = self.entry("/Pattern", operands[-1])
            if "/Shading" in pattern:
                self.use_space(pattern["/Shading"]["/ColorSpace"])
            else:
                self.cell(pattern)
        elif operator == "sh":
            self.use_space(self.entry("/Shading", operands[0])["/ColorSpace"])
        elif operator == "gs":
            self.mask(self.entry("/ExtGState", operands[0]).get("/SMask"))
        elif operator == "Do":
            self.execute(self.entry("/XObject", operands[0]))

    def execute(self, stream):
        if stream["/Subtype"] == "/Image":
            self.image(stream["/Width"], stream["/Height"])
            if "/ColorSpace" in stream:
                self.use_space(stream["/ColorSpace"])
        elif stream["/Subtype"] == "/Form":
            group(stream, "form", self.lines)
            self.cell(stream)

    def cell(self, stream):
        Painter(stream.get("/Resources", self.resources), self.ctm, self.lines).read(stream)

    def mask(self, mask):
        if isinstance(mask, pikepdf.Dictionary):
            group(mask["/G"], str(mask["/S"])[1:], self.lines)

    def read(self, source):
        for instruction in pikepdf.parse_content_stream(source):
            if isinstance(instruction, pikepdf.ContentStreamInlineImage):
                image = instruction.iimage
                self.image(image.width, image.height)
            else:
                self.run(list(instruction.operands), str(instruction.operator))


def group(holder, what, lines):
    if "/Group" in holder and "/CS" in holder["/Group"]:
        lines.append("group %s %s" % (what, family(holder["/Group"]["/CS"])))


def document(pdf, lines):
    root = pdf.Root
    for intent in root.get("/OutputIntents", []):
        space = "none"
        if "/DestOutputProfile" in intent:
            space = bytes(intent["/DestOutputProfile"].read_bytes())[16:20].decode("latin-1").strip()
        lines.append("intent %s %s" % (str(intent["/S"])[1:], space))
    layers = root.get("/OCProperties")
    if layers is None:
        return
    lines.append("configs %s" % (len(layers["/Configs"]) if "/Configs" in layers else "none"))
    default = layers["/D"]
    base = str(default.get("/BaseState", pikepdf.Name("/ON")))
    off = [group.objgen for group in default.get("/OFF", [])]
    on = [group.objgen for group in default.get("/ON", [])]
    for group in layers["/OCGs"]:
        shown = group.objgen in on or (base != "/OFF" and group.objgen not in off)
        lines.append("layer %s %s" % (group["/Name"], "on" if shown else "off"))
        metadata = group.get("/GTS_Metadata")
        if metadata is not None:
            names = metadata["/GTS_ProcStepsGroup"], metadata["/GTS_ProcStepsType"]
            lines.append("step " + "/".join(str(name)[1:] for name in names))


def look(path):
    lines = []
    with pikepdf.open(path) as pdf:
        lines.append("pages=%d" % len(pdf.pages))
        document(pdf, lines)
        for number, page in enumerate(pdf.pages, 1):
            for key, form in (("/UserUnit", "%.3f"), ("/Rotate", "%d")):
                if key in page.obj:
                    lines.append("page %d %s=%s" % (number, key[1:], form % page.obj[key]))
            group(page.obj, "page", lines)
            Painter(page.obj.get("/Resources", {}), (1, 0, 0, 1, 0, 0), lines).read(page)
    return lines


seen = {}
for name in sys.argv[1:]:
    try:
        seen[name] = look(name)
    except (pikepdf.PdfError, zlib.error, KeyError, IndexError) as error:
        seen[name] = ["error " + type(error).__name__]
json.dump(seen, sys.stdout, ensure_ascii=False)
