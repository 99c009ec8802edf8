// Filters and sorts the rows of the index; a sorted column says so to screen readers.
const body = document.querySelector("#samples tbody");
const rows = [...body.rows].map((row, place) => {
  const cells = [...row.cells].map(cell => cell.textContent.trim());
  const share = cells[4].match(/(\d+) %/);
  return {row, place, cells, text: cells.join(" ").toLowerCase(),
    share: share ? Number(share[1]) + (cells[4].includes("over") ? 0.5 : 0) : -1};
});
const chosen = id => document.getElementById(id).value;
function filter() {
  const words = chosen("find").toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (value, cell) => !value || (value === "-" ? !cell : cell === value);
  const doubt = chosen("doubt");
  let shown = 0;
  for (const {row, cells, text} of rows) {
    const looks = !doubt || (doubt === "any" ? cells[5] : doubt === "-" ? !cells[5]
      : cells[5].split(", ").includes(doubt));
    row.hidden = !(words.every(word => text.includes(word)) && fits(chosen("tissue"), cells[2])
      && fits(chosen("state"), cells[3]) && looks);
    shown += !row.hidden;
  }
  document.getElementById("count").textContent =
    `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} shown`;
}
document.querySelector(".filters").addEventListener("input", filter);
document.querySelector(".filters").addEventListener("submit", event => event.preventDefault());
document.querySelectorAll("#samples th").forEach((head, column, heads) => {
  head.querySelector("button").addEventListener("click", () => {
    const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
    heads.forEach(other => other.setAttribute("aria-sort", other === head ? order : "none"));
    const by = column === 4 ? (a, b) => a.share - b.share
      : (a, b) => a.cells[column].localeCompare(b.cells[column], "en", {numeric: true});
    rows.sort((a, b) => (order === "ascending" ? by(a, b) : by(b, a)) || a.place - b.place);
    body.append(...rows.map(({row}) => row));
  });
});
