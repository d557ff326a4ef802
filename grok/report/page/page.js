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
      uirevision: "reader", // what the reader has zoomed or hidden stays when readings come
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

  const observe = () => document.querySelectorAll(".plot").forEach((div) => {
    if (!drawn.has(div.id)) watcher.observe(div);
  });

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
        layout: { xaxis: axis(x), yaxis: axis(y), uirevision: columns[x] + " " + columns[y] } });
      if (drawn.has("plot-against")) draw("plot-against");
    };
    form.onchange = show;
    show();
  }

  // A served page asks for what is new.
  async function listen() {
    for (;;) {
      try {
        const seen = document.body.dataset.version;
        const answer = await fetch(`content.json${seen ? `?seen=${seen}` : ""}`);
        if (answer.status === 200) update(await answer.json());
      } catch { /* the server is gone, or is back in a moment */ }
      await new Promise((done) => setTimeout(done, 1000));
    }
  }

  // Sections as the server wrote them, before anything was drawn into them.
  const main = document.getElementById("main");
  const written = new Map([...main.children].map((section) => [section.id, section.outerHTML]));
  const textOf = (plots) => new Map(plots.map((plot) => [plot.id, JSON.stringify(plot)]));
  let texts = textOf(content.plots);

  function update(news) {
    document.getElementById("head").innerHTML = news.head;
    document.querySelector("nav").innerHTML = news.nav;
    const before = texts;
    texts = textOf(news.plots);
    content = news;
    specs = new Map(news.plots.map((plot) => [plot.id, plot]));
    renew(news.body);
    setUpAxes();
    drawn.forEach((id) => {
      if (!document.getElementById(id)) drawn.delete(id);
      else if (texts.get(id) !== before.get(id)) draw(id);
    });
    observe();
    document.body.dataset.version = news.version;
  }

  // Sections that differ are written anew, around the plots that are drawn; others are left alone.
  function renew(body) {
    const fresh = document.createElement("template");
    fresh.innerHTML = body;
    const sections = [...fresh.content.children].map((section) => {
      const [old, html] = [document.getElementById(section.id), section.outerHTML];
      if (old && written.get(section.id) === html) return old;
      written.set(section.id, html);
      keepReader(old, section);
      old?.replaceWith(section);
      return section;
    });
    sections.forEach((section, at) => {
      if (main.children[at] !== section) main.insertBefore(section, main.children[at] ?? null);
    });
    while (main.children.length > sections.length) main.lastElementChild.remove();
  }

  // What is drawn, opened and chosen in a section passes on to the one that takes its place.
  function keepReader(old, section) {
    for (const plot of section.querySelectorAll(".plot")) {
      const mine = drawn.has(plot.id) && document.getElementById(plot.id);
      if (!mine) continue;
      mine.style.height = plot.style.height;
      plot.replaceWith(mine);
    }
    if (old?.querySelector("details")?.open) section.querySelector("details")?.setAttribute("open", "");
    for (const select of old?.querySelectorAll("select") ?? []) {
      const next = section.querySelector(`select[name="${select.name}"]`);
      if ([...next?.options ?? []].some((each) => each.value === select.value)) next.value = select.value;
    }
  }

  setTheme(stored() || (prefers.matches ? "dark" : "light"));
  setUpAxes();
  observe();
  if (document.body.dataset.live === "true") listen();
})();
