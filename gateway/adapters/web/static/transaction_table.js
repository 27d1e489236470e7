// What was charged, the newest first; a row opens into the way of each of its messages. Asks the
// gateway itself, with the cookie of whoever has signed in, for as long as the tab is open.
import { site } from "site-gateway-store";

const REFRESH_MS = 5000;
const DAY_MS = 24 * 3600 * 1000;
const SPANS = [
  [1, "1 day"],
  [7, "7 days"],
  [31, "31 days"],
];
const MOST = 500;
const TONES = { confirmed: "good", quarantined: "bad", discarded: "bad", sent: "info", waiting: "warn" };
const API = "/api/v1/transactions";

export default {
  template: `
    <div>
      <div class="sg-board-head">
        <h2>Transactions</h2>
        <div class="sg-filter" role="group" aria-label="Time shown">
          <button v-for="[span, text] in spans" :key="span" :class="{ 'sg-chosen': days === span }"
                  :aria-pressed="days === span" @click="days = span">{{ text }}</button>
        </div>
        <input v-model="search" class="sg-search" type="search" placeholder="Station, token, reason"
               aria-label="Find a transaction" />
        <a class="sg-button" :href="address + '&format=csv'" download>CSV</a>
      </div>
      <p v-if="problem" class="sg-note sg-bad">{{ problem }}</p>
      <p v-else-if="!shown.length" class="sg-muted">None.</p>
      <div class="sg-table" role="table">
        <div v-if="shown.length" class="sg-tx sg-tx-head" role="row">
          <span>began</span><span>station</span><span>token</span><span>energy</span>
          <span>state</span><span>remarks</span>
        </div>
        <div v-for="tx in shown" :key="tx.number" class="sg-tx-box">
          <button class="sg-tx" role="row" :data-transaction="tx.number"
                  :aria-expanded="open === tx.number" @click="show(tx.number)">
            <span>{{ time(tx.started_at) }}</span>
            <b>{{ tx.station }}<small v-if="tx.evse > 1"> · {{ tx.evse }}</small></b>
            <span>{{ tx.id_token_hint ? "…" + tx.id_token_hint : "–" }}</span>
            <span class="sg-figure">{{ energy(tx) }}</span>
            <span><i class="sg-chip" :class="tx.ended_at ? 'sg-idle' : 'sg-good'">
              {{ tx.ended_at ? tx.stopped_reason || "ended" : "running" }}</i></span>
            <span class="sg-flags">{{ tx.flags.join(", ") }}</span>
          </button>
          <div v-if="open === tx.number" class="sg-journey">
            <p class="sg-muted">
              No. {{ tx.number }} · {{ tx.transaction_id }} · cloud EVSE {{ tx.cloud_evse }}
              <template v-if="tx.cloud_number !== null"> · the cloud calls it {{ tx.cloud_number }}</template>
              <template v-if="tx.ended_at"> · ended {{ time(tx.ended_at) }}</template>
              <a class="sg-button" :href="way(tx.number)" :download="'transaction-' + tx.number + '.json'">JSON</a>
              <a class="sg-button" :href="way(tx.number) + '?format=csv'" download>CSV</a>
            </p>
            <p v-if="!steps" class="sg-muted">…</p>
            <p v-else-if="!steps.length" class="sg-muted">Nothing is remembered of its messages.</p>
            <ol v-else class="sg-steps">
              <li v-for="step in steps" :key="step.row" :class="'sg-' + tone(step)">
                <b>{{ step.kind ?? "message" }}</b> <small class="sg-muted">row {{ step.row }}</small>
                <i class="sg-chip" :class="'sg-' + tone(step)">{{ step.state }}</i>
                <div class="sg-hops">
                  <span><em>station</em> {{ clock(step.received_at) }}
                    <code>{{ step.station_message_id ?? "by the gateway itself" }}</code></span>
                  <span v-if="step.sent_at"><em>to the cloud</em> {{ clock(step.sent_at) }}
                    <code v-if="step.sent_with">with row {{ step.sent_with }}</code>
                    <code v-else>{{ step.cloud_message_id }}</code></span>
                  <span v-if="step.settled_at"><em>{{ step.state }}</em> {{ clock(step.settled_at) }}
                    <small v-if="step.waited_s !== null">after {{ length(step.waited_s) }}</small></span>
                </div>
                <small v-if="step.offline">while the cloud was away.</small>
                <small v-if="step.attempts">refused or unanswered {{ step.attempts }} times.</small>
                <small v-if="step.note" class="sg-flags">{{ step.note }}</small>
              </li>
            </ol>
          </div>
        </div>
      </div>
    </div>
  `,
  data: () => ({ site, spans: SPANS, days: 7, search: "", rows: [], open: null, steps: null, problem: "" }),
  computed: {
    address() {
      const since = new Date(Math.floor((Date.now() - this.days * DAY_MS) / 60000) * 60000);
      return API + "?since=" + since.toISOString();
    },
    shown() {
      const wanted = this.search.trim().toLowerCase();
      const says = (tx) => [tx.number, tx.station, tx.id_token_hint, tx.stopped_reason, ...tx.flags].join(" ");
      return this.rows.filter((tx) => says(tx).toLowerCase().includes(wanted)).slice(0, MOST);
    },
  },
  mounted() {
    const zone = { timeZone: this.site.zone };
    const minutes = { hour: "2-digit", minute: "2-digit" };
    this.day = new Intl.DateTimeFormat("en-GB", { ...zone, ...minutes, day: "numeric", month: "short" });
    this.second = new Intl.DateTimeFormat("en-GB", { ...zone, ...minutes, second: "2-digit", fractionalSecondDigits: 3 });
    this.$watch("days", this.refresh);
    this.refresh();
    this.timer = setInterval(this.refresh, REFRESH_MS);
  },
  beforeUnmount() {
    clearInterval(this.timer);
  },
  methods: {
    async refresh() {
      this.rows = (await this.ask(this.address)) ?? this.rows;
      if (this.open !== null) await this.follow(this.open);
    },
    async show(number) {
      this.steps = null;
      this.open = this.open === number ? null : number;
      if (this.open !== null) await this.follow(number);
    },
    async follow(number) {
      const journey = await this.ask(this.way(number));
      if (journey && this.open === number) this.steps = journey.steps;
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
    way: (number) => `${API}/${number}/journey`,
    tone: (step) => TONES[step.state] ?? "idle",
    time(text) {
      return this.day?.format(new Date(text)) ?? "";
    },
    clock(text) {
      return text ? this.second?.format(new Date(text)) : "";
    },
    energy: (tx) => (tx.energy_wh === null ? "–" : (tx.energy_wh / 1000).toFixed(2) + " kWh"),
    length: (seconds) => (seconds < 1 ? Math.round(seconds * 1000) + " ms" : seconds.toFixed(1) + " s"),
  },
};
