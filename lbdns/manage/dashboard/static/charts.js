// Charts under the mouse: uPlot draws the numbers of each figure[data-chart] again, in the colours of the style sheet, and
// says what stands at a time. Dragging shows a part, a double click all of it. Without it the server's drawing stays.
"use strict";

(() => {
  const DASHES = [[], [6, 3], [2, 2.5], [9, 3, 2, 3], [4, 2], [1, 3], [12, 4], [6, 2, 2, 2, 2, 2]];
  const drawn = new WeakMap(); // figure -> {data, plot}

  const said = (value, unit) => {
    if (value === null || value === undefined) return "-";
    const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
    return `${value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
  };

  // A time of day, or a day where it is midnight or ticks are days apart; in UTC, as the server draws it.
  const told = (at, step) => {
    const time = new Date(at * 1000);
    const isDay = step >= 86400 || at % 86400 === 0;
    const shown = isDay ? { day: "2-digit", month: "short" } : { hour: "2-digit", minute: "2-digit", hour12: false };
    return time.toLocaleString("en-GB", { ...shown, timeZone: "UTC" });
  };

  const colours = (figure) => {
    const style = getComputedStyle(figure);
    return (name) => style.getPropertyValue(name).trim();
  };

  const stack = (lines) => {
    const under = new Array(lines.length ? lines[0].values.length : 0).fill(0);
    return lines.map((line) => line.values.map((value, at) => (value === null ? null : (under[at] += value))));
  };

  const draw = (figure) => {
    const text = figure.dataset.chart;
    const before = drawn.get(figure);
    if (before && before.text === text && figure.contains(before.plot.root)) return;
    if (before) before.plot.destroy();
    const data = JSON.parse(text);
    const colour = colours(figure);
    const shown = data.stacked ? stack(data.lines) : data.lines.map((line) => line.values);
    // What lies on top of others is drawn first, so that each covers what is above it down to the axis.
    const order = data.lines.map((_, at) => (data.stacked ? data.lines.length - 1 - at : at));
    const axis = { stroke: colour("--muted"), font: "11px system-ui, sans-serif", grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const options = {
      width: figure.clientWidth,
      height: Number(figure.dataset.height) + 4,
      padding: [8, 8, 0, 0],
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
      legend: { show: false },
      cursor: { y: false, points: { size: 6 } },
      scales: { y: { range: (_, low, high) => [0, high > 0 ? high * 1.05 : 1] } },
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 26, values: (_, ticks, __, ___, step) => ticks.map((at) => told(at, step)) },
        { ...axis, size: 62, space: 34, values: (_, ticks) => ticks.map((tick) => said(tick, data.unit)) },
      ],
      series: [
        {},
        ...order.map((at) => ({
          label: data.lines[at].name,
          stroke: colour(`--c${at % 8}`),
          width: 1.8,
          dash: DASHES[at % 8],
          fill: data.stacked ? colour("--surface") : undefined,
          spanGaps: false,
          points: { show: false },
        })),
      ],
      hooks: {
        setCursor: [
          (plot) => {
            const at = plot.cursor.idx;
            const items = figure.querySelectorAll(".legend li .value");
            items.forEach((item, index) => {
              const values = data.lines[index].values;
              const last = values.findLast((value) => value !== null);
              item.textContent = said(at === null || at === undefined ? last : values[at], data.unit);
            });
            const when = figure.querySelector(".chart-time");
            when.textContent = at === null || at === undefined ? "" : `${new Date(data.times[at] * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
          },
        ],
        drawClear: [
          (plot) => {
            plot.ctx.fillStyle = colour("--surface");
            plot.ctx.fillRect(0, 0, plot.ctx.canvas.width, plot.ctx.canvas.height);
          },
        ],
      },
    };
    if (data.stacked) options.series.slice(1).forEach((series) => (series.fill = mixed(series.stroke, colour("--surface"))));
    let box = figure.querySelector(".chart-live");
    if (!box) {
      box = document.createElement("div");
      box.className = "chart-live";
      box.setAttribute("aria-hidden", "true");
      const when = document.createElement("p");
      when.className = "chart-time";
      figure.prepend(when, box);
    }
    box.replaceChildren();
    const plot = new uPlot(options, [data.times, ...order.map((at) => shown[at])], box);
    figure.classList.add("is-live");
    drawn.set(figure, { text, plot });
  };

  // A fifth of a colour on its ground: opaque, since stacked areas lie upon each other.
  const mixed = (front, ground) => {
    const parts = (text) => [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
    const [over, under] = [parts(front), parts(ground)];
    return `rgb(${over.map((part, at) => Math.round(part * 0.25 + under[at] * 0.75)).join(" ")})`;
  };

  const drawAll = () => document.querySelectorAll("figure[data-chart]").forEach(draw);
  const again = () => {
    document.querySelectorAll("figure[data-chart]").forEach((figure) => {
      const before = drawn.get(figure);
      if (before) before.plot.destroy();
      drawn.delete(figure);
      draw(figure);
    });
  };

  drawAll();
  document.addEventListener("htmx:after:swap", drawAll);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  let waiting = 0;
  window.addEventListener("resize", () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(again);
  });
})();
