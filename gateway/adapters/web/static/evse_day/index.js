// The last 24 hours of an EVSE: what it was allowed, what it drew, and why. Asks the gateway itself,
// with the cookie of whoever has signed in, for as long as it is open.
import { echarts } from "nicegui-echart";
import { site } from "site-gateway-store";

const REFRESH_MS = 30000;
const DAY_MS = 24 * 3600 * 1000;
const LEAST_MS = 10 * 60 * 1000;
const MOST = 20000;
const LIMIT = "#c2392b";
const DRAWN = "#13907c";
const QUIET = ["evse_maximum", "no_demand", "rising", "fair_share"];

export const EvseDay = {
  props: { station: String, evse: Number },
  template: `
    <section class="sg-day">
      <div class="sg-day-head">
        <h4>The last 24 hours</h4>
        <label>Why at <input v-model="time" type="time" aria-label="Why at" @change="askAt" /></label>
        <a class="sg-button" :href="journal('&format=csv&limit=50000')" download>CSV</a>
      </div>
      <div ref="canvas" class="sg-day-plot"></div>
      <div class="sg-day-answer" role="status">
        <p v-if="problem" class="sg-note sg-bad">{{ problem }}</p>
        <template v-else-if="answer.length">
          <p v-for="line in answer"><b>{{ line.when }}</b> {{ line.why }}</p>
        </template>
        <p v-else class="sg-muted">Point at the curve, or name a time, to be told why.</p>
      </div>
    </section>
  `,
  data: () => ({ site, time: "", answer: [], problem: "" }),
  mounted() {
    const form = { hour: "2-digit", minute: "2-digit", timeZone: this.site.zone };
    this.minutes = new Intl.DateTimeFormat("en-GB", form);
    this.seconds = new Intl.DateTimeFormat("en-GB", { ...form, second: "2-digit" });
    this.entries = [];
    this.chart = echarts.init(this.$refs.canvas);
    this.chart.setOption(this.frame());
    for (const event of ["mousemove", "click"]) this.chart.getZr().on(event, this.pointed);
    this.resize = new ResizeObserver(() => this.chart.resize());
    this.resize.observe(this.$refs.canvas);
    this.refresh();
    this.timer = setInterval(this.refresh, REFRESH_MS);
  },
  beforeUnmount() {
    clearInterval(this.timer);
    this.resize.disconnect();
    this.chart.dispose();
  },
  methods: {
    journal(more) {
      return `/api/v1/journal?station=${encodeURIComponent(this.station)}&evse=${this.evse}${more}`;
    },
    async ask(address) {
      try {
        const answer = await fetch(address);
        const told = await answer.json();
        this.problem = answer.ok ? "" : told.error;
        return answer.ok ? told : null;
      } catch {
        this.problem = "The gateway does not answer.";
        return null;
      }
    },
    async refresh() {
      const draws = `/api/v1/stations/${encodeURIComponent(this.station)}/evses/${this.evse}/draws`;
      const last = this.entries.at(-1);
      const since = last ? `&since=${new Date(last.ms + 1).toISOString()}` : "";
      const [told, drawn] = await Promise.all([
        this.ask(this.journal(`&limit=${MOST}${since}`)),
        this.ask(draws),
      ]);
      if (!told || !drawn || this.chart.isDisposed()) return;
      const fresh = told.map((entry) => ({ ...entry, ms: Date.parse(entry.at) }));
      this.entries = [...this.entries, ...fresh].filter((entry) => entry.ms > this.site.at_ms - DAY_MS);
      this.draw(drawn);
    },
    draw(drawn) {
      // the site's own clock, not the browser's
      const newest = Math.max(this.site.at_ms, this.entries.at(-1)?.ms ?? 0, drawn.at(-1)?.[0] ?? 0);
      const first = Math.min(this.entries[0]?.ms ?? newest, drawn[0]?.[0] ?? newest);
      const oldest = Math.min(Math.max(first, newest - DAY_MS), newest - LEAST_MS);
      const limit = this.entries.map((entry) => [entry.ms, entry.to_a]);
      if (limit.length) limit.push([newest, limit.at(-1)[1]]);
      const turns = this.entries.filter((entry, n) => entry.rule !== this.entries[n - 1]?.rule);
      const marks = turns.filter((entry) => !QUIET.includes(entry.rule));
      this.chart.setOption({
        xAxis: { min: oldest, max: newest },
        series: [
          { data: drawn },
          { data: limit },
          { data: marks.map((entry) => [entry.ms, entry.to_a]) },
        ],
      });
    },
    /** The last entry that is not after an instant: it held then. */
    held(ms) {
      let found = null;
      for (const entry of this.entries) {
        if (entry.ms > ms) break;
        found = entry;
      }
      return found;
    },
    pointed(event) {
      const [ms] = this.chart.convertFromPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY]);
      const entry = this.held(ms);
      this.answer = entry ? [this.line(entry, ms)] : [this.nothing(this.minutes.format(ms))];
    },
    /** The gateway knows its own time of day, and what changed in that minute. */
    async askAt() {
      if (!this.time) return;
      const told = await this.ask(this.journal(`&at=${encodeURIComponent(this.time)}`));
      if (!told) return;
      const lines = told.map((entry) => this.line({ ...entry, ms: Date.parse(entry.at) }, null));
      this.answer = lines.length ? lines : [this.nothing(this.time)];
    },
    line(entry, ms) {
      const since = `since ${this.seconds.format(entry.ms)}`;
      const at = ms === null ? "" : `${this.minutes.format(ms)}: `;
      return { when: `${at}${entry.to_a} A, ${since}.`, why: entry.sentence };
    },
    nothing: (time) => ({ when: `${time}:`, why: "nothing is known of that time." }),
    frame() {
      const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
      const text = { color: isDark ? "#9fadba" : "#4b5a69", fontSize: 13 };
      const quiet = { animation: false, emphasis: { disabled: true }, showSymbol: false };
      const line = { ...quiet, type: "line", step: "end", connectNulls: false };
      return {
        animation: false,
        grid: { left: 44, right: 12, top: 30, bottom: 26 },
        legend: { top: 0, right: 0, icon: "roundRect", itemWidth: 18, itemHeight: 4, textStyle: text, selectedMode: false },
        tooltip: { trigger: "axis", showContent: false, axisPointer: { label: { show: false } } },
        xAxis: {
          type: "time",
          splitNumber: 6,
          axisLabel: { ...text, hideOverlap: true, formatter: (at) => this.minutes.format(at) },
          axisLine: { lineStyle: { color: isDark ? "#4a5764" : "#c6d0da" } },
        },
        yAxis: {
          type: "value",
          min: 0,
          max: ({ max }) => Math.ceil((Math.max(max, 8) * 1.05) / 10) * 10,
          axisLabel: { ...text, formatter: "{value} A" },
          splitLine: { lineStyle: { color: isDark ? "#28323c" : "#e8edf2" } },
        },
        series: [
          { ...line, name: "Drawn by the minute", color: DRAWN, areaStyle: { opacity: 0.15 }, lineStyle: { width: 2 }, data: [] },
          { ...line, name: "Limit", color: LIMIT, lineStyle: { width: 2, type: "dashed" }, data: [] },
          { ...quiet, name: "Held back", type: "scatter", color: LIMIT, symbolSize: 8, data: [] },
        ],
      };
    },
  },
};
