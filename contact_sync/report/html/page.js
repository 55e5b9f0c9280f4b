"use strict";
(() => {
  const PAGE = 200;  // rows
  const CELLS = 5;  // a line is its row number, outcome, code, fields, message, and then the cells of the source
  const [NUMBER, OUTCOME, CODE, FIELDS, MESSAGE] = [0, 1, 2, 3, 4];

  const one = (selector) => document.querySelector(selector);
  const many = (selector) => [...document.querySelectorAll(selector)];
  const taken = (id) => {
    const element = document.getElementById(id);
    const value = JSON.parse(element.textContent);
    element.remove();
    return value;
  };
  const lines = taken("lines");
  const { columns, positions, who, outcomes, words } = taken("page");
  const language = document.documentElement.lang;
  const count = new Intl.NumberFormat(language).format;
  const collator = new Intl.Collator(language, { numeric: true });

  const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const texts = [];  // what is searched, made when it is first needed
  const text = (index) => (texts[index] ??= folded(lines[index].filter((_, at) => at !== FIELDS).join("\n")));

  const tiles = many(".tiles button"), causes = many(".causes button");
  let order = lines.map((_, index) => index);
  let found = order;
  let first = 0;
  let sorted = { by: NUMBER, descending: false };
  let chosen = tiles[0];  // the tile or the cause whose rows are shown

  const isOf = (line, { code, field }) => {
    const codes = line[CODE].split(","), fields = line[FIELDS].split(",");
    if (codes.length === fields.length) return codes.some((its, at) => its === code && fields[at] === field);
    return codes.includes(code) && (!field || fields.includes(field)); /* FIELDS names a field once, even if several codes are about it */
  };

  function select() {
    const query = folded(one("#search").value.trim());
    const { outcomes, code, field } = chosen?.dataset ?? { outcomes: "" };
    const wanted = outcomes && new Set(outcomes.split(" "));
    found = order.filter((index) => {
      const line = lines[index];
      return (!wanted || wanted.has(line[OUTCOME]))
        && (code === undefined || isOf(line, { code, field }))
        && (!query || text(index).includes(query));
    });
    first = 0;
    one("table").classList.toggle("sound", !found.some((index) => lines[index][MESSAGE]));
    show();
  }

  function sort(by) {
    sorted = { by, descending: sorted.by === by && !sorted.descending };
    const key = by === OUTCOME ? (line) => Object.keys(outcomes).indexOf(line[by]) : (line) => line[by];
    const keys = lines.map(key);
    const compare = typeof keys[0] === "number" ? (a, b) => a - b : collator.compare;
    const ranks = new Map([...new Set(keys)].sort(compare).map((value, rank) => [value, rank]));
    const places = keys.map((value) => ranks.get(value));
    const way = sorted.descending ? -1 : 1;
    order = lines.map((_, index) => index).sort((a, b) => way * (places[a] - places[b]) || a - b);
    for (const head of many("thead th")) {
      head.ariaSort = Number(head.dataset.by) === by ? (sorted.descending ? "descending" : "ascending") : "none";
    }
    select();
  }

  const made = (name, kind, ...content) => {
    const element = document.createElement(name);
    element.className = kind;
    element.append(...content);
    if (name === "td") element.role = "cell";
    return element;
  };

  function wrongCell(line, at) {
    const { name, letter } = columns[at], cell = line[CELLS + at].trimEnd();
    return made("div", "", made("span", "", `${name} (${letter})`), cell ? made("mark", "", cell) : made("i", "", words.empty));
  }

  function row(line) {
    const wrong = [...new Set(line[FIELDS].split(",").map((field) => positions[field]))].filter((at) => at !== undefined);
    const number = made("th", "", String(line[NUMBER]));
    number.scope = "row";
    number.role = "rowheader";
    number.dataset.name = words.row;
    const outcome = made("td", "end", made("span", "outcome " + line[OUTCOME], outcomes[line[OUTCOME]] ?? line[OUTCOME]));
    if (line[CODE]) outcome.append(made("code", "", line[CODE].replaceAll(",", ", ")));
    const cells = line.slice(CELLS).map((content, at) => {
      const cell = made("td", "own" + (who.includes(at) ? " who" : "") + (wrong.includes(at) ? " wrong" : ""), content);
      cell.dataset.name = columns[at].name;
      return cell;
    });
    const element = made("tr", "", number, made("td", "fix cell", ...wrong.map((at) => wrongCell(line, at))),
      made("td", "fix say", line[MESSAGE]), outcome, ...cells);
    element.role = "row";
    return element;
  }

  const filled = (words, blanks) => words.replace(/\{(\w+)\}/g, (_, name) => blanks[name]);

  function show() {
    const last = Math.min(first + PAGE, found.length);
    one("tbody").replaceChildren(...found.slice(first, last).map((index) => row(lines[index])));
    one(".sheet").scrollTop = 0;
    one(".none").hidden = found.length > 0;
    const blanks = { first: count(first + 1), last: count(last), rows: count(found.length) };
    one("#shown").textContent = found.length ? filled(words.shown, blanks) : words.none;
    one(".pager").hidden = found.length <= PAGE;
    one("#previous").disabled = first === 0;
    one("#next").disabled = last === found.length;
  }

  function turn(pages) {
    first += pages * PAGE;
    show();
    const gone = document.activeElement === document.body || document.activeElement.disabled;
    if (gone) one(".sheet").focus();
  }

  function choose(button) {
    chosen = button;
    for (const other of [...tiles, ...causes]) other.ariaPressed = String(other === button);
    const isCause = causes.includes(button);
    one("#cause").hidden = !isCause;
    one("#cause span").textContent = isCause ? filled(words.cause, { cause: button.querySelector(".say").textContent }) : "";
    one("#meaning").textContent = button?.dataset.meaning ?? "";
    if (isCause || !button?.dataset.outcomes) one("form").reset();
    select();
  }

  let waiting;
  one("#search").addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(select, 80);
  });
  one("form").addEventListener("submit", (event) => event.preventDefault());
  one("#cause button").addEventListener("click", () => {
    choose(tiles[0]);
    one("#search").focus();
  });
  for (const tile of tiles) tile.addEventListener("click", () => choose(tile));
  for (const cause of causes) {
    cause.addEventListener("click", () => {
      const off = cause.ariaPressed === "true";
      choose(off ? tiles[0] : cause);
      if (!off) one("#rows").scrollIntoView();
    });
  }
  for (const head of many("thead th")) head.firstChild.addEventListener("click", () => sort(Number(head.dataset.by)));
  one("#previous").addEventListener("click", () => turn(-1));
  one("#next").addEventListener("click", () => turn(1));

  one("#table").hidden = false;
  choose(chosen);
})();
