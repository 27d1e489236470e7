// The current of each phase at the grid connection point, against the limit.
import { echarts } from "nicegui-echart";
import { history, plotted, site } from "site-gateway-store";

const MINUTE_MS = 60 * 1000;
const LEAST_MINUTES = 2;
const SPANS = [
  [15, "15 min"],
  [60, "1 hour"],
];
const LINES = [
  ["L1", "#2f6fb7"],
  ["L2", "#13907c"],
  ["L3", "#8a5fbf"],
];
const LIMIT = ["Limit", "#c2392b"];

function line([name, color], step) {
  return {
    name,
    type: "line",
    showSymbol: false,
    connectNulls: false,
    color,
    step: step ? "end" : false,
    lineStyle: { width: 2, type: step ? "dashed" : "solid" },
    emphasis: { disabled: true },
    data: [],
  };
}

export default {
  template: `
    <div>
      <div class="sg-plot-head">
        <h2>Current at {{ site.root }}</h2>
        <div class="sg-filter" role="group" aria-label="Time shown">
          <button v-for="[span, text] in spans" :key="span" :class="{ 'sg-chosen': minutes === span }"
                  :aria-pressed="minutes === span" @click="minutes = span">{{ text }}</button>
        </div>
      </div>
      <div ref="canvas" class="sg-plot"></div>
    </div>
  `,
  data: () => ({ site, plotted, spans: SPANS, minutes: 15 }),
  mounted() {
    this.clock = new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit",
      minute: "2-digit",
      timeZone: this.site.zone,
    });
    this.chart = echarts.init(this.$refs.canvas);
    this.chart.setOption(this.frame());
    this.draw();
    this.resize = new ResizeObserver(() => this.chart.resize());
    this.resize.observe(this.$refs.canvas);
    this.$watch(() => [this.plotted.count, this.minutes], this.draw);
  },
  beforeUnmount() {
    this.resize.disconnect();
    this.chart.dispose();
  },
  methods: {
    frame() {
      const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
      const text = { color: isDark ? "#9fadba" : "#4b5a69", fontSize: 13 };
      const axis = isDark ? "#4a5764" : "#c6d0da";
      const grid = isDark ? "#28323c" : "#e8edf2";
      return {
        animation: false,
        grid: { left: 44, right: 12, top: 34, bottom: 26 },
        legend: { top: 0, right: 0, itemWidth: 18, icon: "roundRect", itemHeight: 4, textStyle: text, selectedMode: false },
        tooltip: {
          trigger: "axis",
          valueFormatter: (current) => (current == null ? "–" : current.toFixed(1) + " A"),
          axisPointer: { label: { formatter: ({ value }) => this.clock.format(value) } },
        },
        xAxis: {
          type: "time",
          splitNumber: 4,
          minInterval: MINUTE_MS,
          axisLabel: { ...text, hideOverlap: true, formatter: (at) => this.clock.format(at) },
          axisLine: { lineStyle: { color: axis } },
        },
        yAxis: {
          type: "value",
          min: 0,
          max: ({ max }) => Math.ceil((Math.max(max, 10) * 1.08) / 20) * 20,
          axisLabel: { ...text, formatter: "{value} A" },
          splitLine: { lineStyle: { color: grid } },
        },
        series: [...LINES.map((each) => line(each, false)), line(LIMIT, true)],
      };
    },
    draw() {
      const newest = history.length ? history[history.length - 1][0] : Date.now();
      const first = history.length ? history[0][0] : newest;
      // a site that has just been started shows what there is
      const begun = Math.min(first, newest - LEAST_MINUTES * MINUTE_MS);
      const oldest = Math.max(newest - this.minutes * MINUTE_MS, begun);
      const points = history.filter((point) => point[0] >= oldest);
      const data = [1, 2, 3, 4].map((column) => points.map((point) => [point[0], point[column]]));
      this.chart.setOption({
        xAxis: { min: oldest, max: newest },
        series: data.map((each) => ({ data: each })),
      });
    },
  },
};
