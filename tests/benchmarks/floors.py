"""Floors: the least that any program needs for a task. Each function is a program: `python floors.py NAME ARGUMENTS`."""

import asyncio
import csv
import json
import sys


def csv_alone(path: str) -> None:
    """Read a CSV file with the csv module."""
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - the least possible
        for _ in csv.reader(file, delimiter=";", strict=True):
            pass


def pandas_alone(path: str) -> None:
    """Read a CSV file with pandas, every cell as text."""
    import pandas as pd  # noqa: PLC0415 - its import is part of the cost

    pd.read_csv(path, dtype=str, sep=";", keep_default_na=False)


def openpyxl_alone(path: str) -> None:
    """Read a workbook's first sheet with openpyxl, in read-only mode."""
    import openpyxl  # noqa: PLC0415 - its import is part of the cost

    for _ in openpyxl.load_workbook(path, read_only=True, data_only=True).worksheets[0].iter_rows():
        pass


def openpyxl_writes(path: str, written: str) -> None:
    """Write the cells of a CSV file as a workbook with openpyxl, in write-only mode."""
    import openpyxl  # noqa: PLC0415 - its import is part of the cost

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Contacts")
    with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123 - the least possible
        for row in csv.reader(file, delimiter=";"):
            sheet.append([cell or None for cell in row])
    book.save(written)


def bare_aiohttp(path: str, base_url: str, workers: str) -> None:
    """Send each row of a CSV file as an update and check `success`: no ledger, no rules, no retries, no report."""
    import aiohttp  # noqa: PLC0415 - its import is part of the cost

    async def send() -> None:
        with open(path, encoding="utf-8", newline="") as file:  # noqa: PTH123, ASYNC230 - the least possible
            rows = csv.DictReader(file, delimiter=";")
            connector = aiohttp.TCPConnector(limit=int(workers))
            async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:

                async def work() -> None:
                    for row in rows:
                        contact_id = row.pop("contactId")
                        body = json.dumps({"apiKey": "k", "contactId": contact_id, "contact": row}).encode()
                        async with session.post(f"{base_url}/contact/update", data=body) as response:
                            if (await response.json())["success"] is not True:
                                raise SystemExit("refused")

                await asyncio.gather(*(work() for _ in range(int(workers))))

    asyncio.run(send())


def bare_pull(path: str, base_url: str) -> None:
    """Read each page of each group, and write its contacts with openpyxl: no tokens, no retries, no second look."""
    import aiohttp  # noqa: PLC0415 - its import is part of the cost
    import openpyxl  # noqa: PLC0415 - the same

    async def read() -> None:
        book = openpyxl.Workbook(write_only=True)
        sheet = book.create_sheet("Contacts")
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:

            async def get(endpoint: str, **query: str) -> dict[str, list[dict[str, str]]]:
                async with session.get(f"{base_url}/{endpoint}", params={"apiKey": "k", **query}) as response:
                    return await response.json()  # type: ignore[no-any-return]

            for group in (await get("group/list"))["groups"]:
                page = 1
                while contacts := (await get("contact/list", groupId=group["id"], page=str(page)))["datas"]:
                    for contact in contacts:
                        sheet.append([group["name"], *contact.values()])
                    page += 1
        book.save(path)

    asyncio.run(read())


def pandas_and_requests(path: str, base_url: str) -> None:
    """Send each row as in the usual script: pandas and requests, one after the other."""
    import pandas as pd  # noqa: PLC0415 - its import is part of the cost
    import requests  # noqa: PLC0415 - the same

    for _, row in pd.read_csv(path, dtype=str).iterrows():
        contact = row.drop("contactId").dropna().to_dict()
        body = {"apiKey": "k", "contactId": row["contactId"], "contact": contact}
        requests.post(f"{base_url}/contact/update", json=body, timeout=30).raise_for_status()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
