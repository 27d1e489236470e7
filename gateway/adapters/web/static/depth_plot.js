// How many messages have waited for the cloud over the last hours.
import { site } from "site-gateway-store";

const REFRESH_MS = 30000;
const WIDTH = 600;
const HEIGHT = 90;

export default {
  template: `
    <div class="sg-depth">
      <svg v-if="points.length > 1" viewBox="0 0 600 90" preserveAspectRatio="none" role="img"
           :aria-label="'at most ' + most + ' messages waited'">
        <polygon :points="area" /><polyline :points="line" />
      </svg>
      <div v-if="points.length > 1" class="sg-depth-scale">
        <span>{{ clock(points[0][0]) }}</span><span>at most {{ most }} waited</span><span>now</span>
      </div>
      <p v-else class="sg-muted">The curve begins a minute after the start.</p>
    </div>
  `,
  data: () => ({ site, points: [] }),
  computed: {
    /** What was looked at every half minute, and what waits now. */
    curve() {
      const now = Math.max(this.site.at_ms, this.points[this.points.length - 1][0]);
      return [...this.points, [now, this.site.outbox.pending]];
    },
    most() {
      return Math.max(...this.curve.map((point) => point[1]));
    },
    line() {
      const first = this.curve[0][0];
      const span = Math.max(1, this.curve[this.curve.length - 1][0] - first);
      const top = Math.max(1, this.most);
      return this.curve
        .map(([at, depth]) => [((at - first) / span) * WIDTH, HEIGHT - 2 - (depth / top) * (HEIGHT - 6)])
        .map((place) => place.map((each) => each.toFixed(1)).join(","))
        .join(" ");
    },
    area() {
      return `0,${HEIGHT} ${this.line} ${WIDTH},${HEIGHT}`;
    },
  },
  mounted() {
    const form = { hour: "2-digit", minute: "2-digit", timeZone: this.site.zone };
    this.format = new Intl.DateTimeFormat("en-GB", form);
    this.refresh();
    this.timer = setInterval(this.refresh, REFRESH_MS);
  },
  beforeUnmount() {
    clearInterval(this.timer);
  },
  methods: {
    async refresh() {
      try {
        const answer = await fetch("/api/v1/outbox/depth");
        if (answer.ok) this.points = await answer.json();
      } catch {
        // what is shown stays until the gateway is back
      }
    },
    clock(at) {
      return this.format?.format(at);
    },
  },
};
