// The script of a page: draws each plot when it comes into view, in the theme of the reader.
"use strict";

(() => {
  const root = document.documentElement;
  let content = JSON.parse(document.getElementById("content").textContent);
  let specs = new Map(content.plots.map((plot) => [plot.id, plot]));
  const drawn = new Set();

  const prefers = matchMedia("(prefers-color-scheme: dark)");
  const stored = () => { try { return localStorage.getItem("grok-theme"); } catch { return null; } };
  const theme = () => root.dataset.theme;
  const color = (name) => getComputedStyle(root).getPropertyValue(name).trim();

  function merged(base, more) {
    const found = { ...base };
    for (const [key, value] of Object.entries(more)) {
      const both = value && base[key] && typeof value === "object" && !Array.isArray(value);
      found[key] = both ? merged(base[key], value) : value;
    }
    return found;
  }

  function layout(spec) {
    const axis = { gridcolor: color("--line"), zerolinecolor: color("--line"), automargin: true };
    const axes = Object.keys(spec.layout).filter((key) => /^[xy]axis\d*$/.test(key));
    const base = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", autosize: true,
      font: { color: color("--text"), size: 12 }, margin: { l: 55, r: 12, t: 12, b: 42 },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 }, hovermode: "closest",
      hoverlabel: { namelength: -1 },
      ...Object.fromEntries(["xaxis", "yaxis", ...axes].map((name) => [name, axis])),
    };
    return merged(base, spec.layout);
  }

  function draw(id) {
    const spec = specs.get(id);
    if (!spec) return;
    const options = { responsive: true, displaylogo: false };
    Plotly.react(id, spec.data, layout(spec), options);
    drawn.add(id);
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) {
      watcher.unobserve(entry.target);
      draw(entry.target.id);
    }
  }, { rootMargin: "300px" });

  const observe = () => document.querySelectorAll(".plot").forEach((div) => watcher.observe(div));

  function setTheme(name) {
    root.dataset.theme = name;
    drawn.forEach(draw);
  }

  document.getElementById("theme").addEventListener("click", () => {
    const next = theme() === "dark" ? "light" : "dark";
    try { localStorage.setItem("grok-theme", next); } catch { /* a private window forgets it */ }
    setTheme(next);
  });
  prefers.addEventListener("change", () => stored() || setTheme(prefers.matches ? "dark" : "light"));
  window.addEventListener("beforeprint", () => specs.forEach((_, id) => draw(id)));

  // Any number of the runs against any axis of a sweep.
  function setUpAxes() {
    const form = document.getElementById("against");
    if (!form) return;
    const { columns, rows, log, names } = content.data;
    const pick = (name) => columns.indexOf(form.elements[name].value);
    const show = () => {
      const [x, y] = [pick("x"), pick("y")];
      const groups = [...new Set(rows.map((row) => row.group))];
      const trace = (group) => {
        const mine = rows.filter((row) => row.group === group && row.values[y] !== null);
        return { type: "scatter", mode: "markers", name: names[group],
          marker: { size: 8, symbol: group % 8 }, text: mine.map((row) => row.key),
          x: mine.map((row) => row.values[x]), y: mine.map((row) => row.values[y]),
          hovertemplate: "%{text}<br>%{x}<br>%{y}<extra>%{fullData.name}</extra>" };
      };
      const axis = (at) => ({ title: { text: columns[at] }, type: log[at] ? "log" : undefined });
      specs.set("plot-against", { id: "plot-against", data: groups.map(trace),
        layout: { xaxis: axis(x), yaxis: axis(y) } });
      if (drawn.has("plot-against")) draw("plot-against");
    };
    form.addEventListener("change", show);
    show();
  }

  // A served page asks for what is new; where plots came or went it is built anew.
  async function listen() {
    let version = null;
    for (;;) {
      try {
        const seen = version === null ? "" : `?seen=${version}`;
        const answer = await fetch(`content.json${seen}`);
        if (answer.status === 200) {
          const news = await answer.json();
          update(news);
          version = news.version;
        }
      } catch { /* the server is gone, or is back in a moment */ }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }

  function update(news) {
    document.getElementById("head").innerHTML = news.head;
    const isSame = news.plots.length === specs.size && news.plots.every((plot) => specs.has(plot.id));
    content = news;
    specs = new Map(news.plots.map((plot) => [plot.id, plot]));
    if (!isSame) {
      const open = [...document.querySelectorAll("details[open]")].map((d) => d.parentElement.id);
      drawn.clear();
      document.querySelector("nav").innerHTML = news.nav;
      document.getElementById("main").innerHTML = news.body;
      for (const id of open) document.querySelector(`#${id} > details`)?.setAttribute("open", "");
      observe();
    } else {
      drawn.forEach(draw);
    }
    setUpAxes();
    document.body.dataset.updates = Number(document.body.dataset.updates || 0) + 1;
  }

  setTheme(stored() || (prefers.matches ? "dark" : "light"));
  setUpAxes();
  observe();
  if (document.body.dataset.live === "true") listen();
})();
