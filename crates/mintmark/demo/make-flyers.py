#!/usr/bin/env python3
"""Draws the demonstration's two flyers: flyer-good.pdf and flyer-bad.pdf, A6 with 3 mm of bleed. Needs nothing but Python.

The good one is made of areas and one picture of 300 ppi, everything as far as the bleed. The bad one has the picture at
40 ppi, text in a font that is not embedded, and an empty second page. Run it here; the same bytes come out each time.
"""

import math
import pathlib
import zlib

MM = 72 / 25.4
TRIM = (105 * MM, 148 * MM)
BLEED = 3 * MM


def picture(side_mm, ppi):
    """A rising sun in CMYK, as a compressed image stream: its dictionary and its data."""
    side = round(side_mm / 25.4 * ppi)
    rows = bytearray()
    for y in range(side):
        for x in range(side):
            down = y / side
            distance = math.hypot(x / side - 0.5, y / side - 0.75)
            sun = max(0.0, 1 - distance * 2.2)
            rows += bytes((
                int(200 * (1 - sun) * (1 - down * 0.5)),
                int(150 * (1 - sun) * 0.6 + 70 * sun),
                int(230 * sun),
                int(60 * (1 - sun) * (1 - down)),
            ))
    data = zlib.compress(bytes(rows), 9)
    entries = (f"/Type /XObject /Subtype /Image /Width {side} /Height {side} /ColorSpace /DeviceCMYK "
               f"/BitsPerComponent 8 /Filter /FlateDecode /Length {len(data)}")
    return entries, data


def content(with_text):
    width, height = TRIM[0] + 2 * BLEED, TRIM[1] + 2 * BLEED
    hills = [(0.30, (0.85, 0.35, 0.10, 0.45)), (0.20, (0.90, 0.45, 0.25, 0.62)), (0.11, (0.70, 0.55, 0.45, 0.80))]
    lines = [f"0.10 0.04 0 0 k 0 0 {width:.3f} {height:.3f} re f"]
    side = 80 * MM
    lines.append(f"q {side:.3f} 0 0 {side:.3f} {(width - side) / 2:.3f} {height * 0.36:.3f} cm /Sun Do Q")
    for share, ink in hills:
        top = height * share
        lines.append("%.2f %.2f %.2f %.2f k" % ink)
        lines.append(f"0 0 m 0 {top:.3f} l {width * 0.3:.3f} {top * 1.5:.3f} {width * 0.6:.3f} {top * 0.5:.3f} "
                     f"{width:.3f} {top:.3f} c {width:.3f} 0 l f")
    if with_text:
        lines.append(f"BT 0 0 0 1 k /Body 20 Tf {BLEED + 8 * MM:.3f} {height - 22 * MM:.3f} Td (Midnight Sun) Tj ET")
    return "\n".join(lines).encode()


def pdf(picture_ppi, with_text, empty_page):
    entries, data = picture(80, picture_ppi)
    width, height = TRIM[0] + 2 * BLEED, TRIM[1] + 2 * BLEED
    boxes = (f"/MediaBox [0 0 {width:.3f} {height:.3f}] /BleedBox [0 0 {width:.3f} {height:.3f}] "
             f"/TrimBox [{BLEED:.3f} {BLEED:.3f} {BLEED + TRIM[0]:.3f} {BLEED + TRIM[1]:.3f}]")
    font = "/Font << /Body 6 0 R >> " if with_text else ""
    drawn = zlib.compress(content(with_text), 9)
    pages = [3] + ([7] if empty_page else [])
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{page} 0 R' for page in pages)}] >>".encode(),
        3: (f"<< /Type /Page /Parent 2 0 R {boxes} /Contents 4 0 R "
            f"/Resources << /XObject << /Sun 5 0 R >> {font}>> >>").encode(),
        4: f"<< /Filter /FlateDecode /Length {len(drawn)} >>\nstream\n".encode() + drawn + b"\nendstream",
        5: f"<< {entries} >>\nstream\n".encode() + data + b"\nendstream",
    }
    if with_text:
        objects[6] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold >>"
    if empty_page:
        objects[7] = f"<< /Type /Page /Parent 2 0 R {boxes} /Resources << >> >>".encode()
    out, places = bytearray(b"%PDF-1.6\n%\xe2\xe3\xcf\xd3\n"), {}
    for number, body in objects.items():
        places[number] = len(out)
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start, size = len(out), max(objects) + 1
    out += f"xref\n0 {size}\n0000000000 65535 f \n".encode()
    for number in range(1, size):
        out += f"{places.get(number, 0):010d} {'00000 n' if number in places else '65535 f'} \n".encode()
    identity = "6d696e746d61726b2d666c7965722d31"
    out += (f"trailer\n<< /Size {size} /Root 1 0 R /ID [<{identity}> <{identity}>] >>\n"
            f"startxref\n{start}\n%%EOF\n").encode()
    return bytes(out)


folder = pathlib.Path(__file__).parent
(folder / "flyer-good.pdf").write_bytes(pdf(300, with_text=False, empty_page=False))
(folder / "flyer-bad.pdf").write_bytes(pdf(40, with_text=True, empty_page=True))
