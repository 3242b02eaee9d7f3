"""Opens statements in a browser, on the screen and on paper, and reads what is to be seen.

Usage: check_pages.py <folder with statements> <folder to write to>
"""

import glob
import json
import os
import struct
import subprocess
import sys
import zlib

PAGES_MAX = 3


def check(condition, message):
    if not condition:
        sys.exit(message)


def browse(*arguments):
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", *arguments]
    subprocess.run(command, check=True, timeout=120, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def read(*command):
    return subprocess.run(command, check=True, timeout=60, capture_output=True, text=True).stdout


def colours(png):
    """How many different rows a screenshot has: one for a blank page."""
    with open(png, "rb") as file:
        data = file.read()
    width, height = struct.unpack(">II", data[16:24])
    at, packed = 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += 12 + length
    raw = zlib.decompress(packed)
    row = len(raw) // height
    return len({raw[index * row : (index + 1) * row] for index in range(height)}), width, height


def shown(amount):
    """As a page writes it: two decimals, thousands apart."""
    whole, _, fraction = amount.lstrip("-").partition(".")
    return f"{int(whole):,}.{fraction:0<2}"


def main(folder, out):
    os.makedirs(out, exist_ok=True)
    pages = sorted(glob.glob(os.path.join(folder, "*.html")))
    check(pages, f"no statements in {folder}")
    for page in pages[:PAGES_MAX]:
        name = os.path.splitext(os.path.basename(page))[0]
        with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as file:
            statement = json.load(file)
        address = "file://" + os.path.abspath(page)
        screen, paper = os.path.join(out, f"{name}.png"), os.path.join(out, f"{name}.pdf")
        browse("--window-size=1000,1500", f"--screenshot={screen}", address)
        rows, width, height = colours(screen)
        check(rows > 200, f"{screen}: {rows} different rows of {height}: blank?")
        browse("--no-pdf-header-footer", f"--print-to-pdf={paper}", address)
        info = read("pdfinfo", paper)
        check("A4" in info, f"{paper} is not A4: {info}")
        text = read("pdftotext", "-layout", paper, "-")
        wanted = [statement["operator"]["name"], statement["client"]["name"], "Total charges", statement["currency"]]
        wanted += [statement["number"]] if statement["number"] else ["PREVIEW"]
        wanted += [shown(statement["totals"][key]) for key in ("net", "tax", "gross", "due")]
        wanted += [shown(line["charge"]) for line in statement["lines"]]
        missing = [word for word in wanted if word not in text]
        check(not missing, f"{paper} does not show {missing}:\n{text}")
        print(f"{name}: {width} x {height} on the screen, {info.count('Pages:')} document on paper, {len(wanted)} texts found")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
