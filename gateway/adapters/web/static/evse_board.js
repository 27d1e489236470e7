import { EvseDay } from "site-gateway-day";
import { site } from "site-gateway-store";

const DENSE_FROM = 40;
const KINDS = [
  ["all", "All"],
  ["charging", "Charging"],
  ["waiting", "Waiting"],
  ["free", "Free"],
  ["problem", "Problems"],
];

export default {
  components: { EvseDay },
  props: { mayChange: Boolean },
  emits: ["wish"],
  template: `
    <div>
      <div class="sg-board-head">
        <h2>Charging stations</h2>
        <div class="sg-filter" role="group" aria-label="Show">
          <button v-for="[name, text] in kinds" :key="name" :class="{ 'sg-chosen': kind === name }"
                  :aria-pressed="kind === name" @click="kind = name">
            {{ text }} <b>{{ site.totals[name] }}</b>
          </button>
        </div>
        <input v-if="count > 8" v-model="search" class="sg-search" type="search"
               placeholder="Find a station" aria-label="Find a station" />
      </div>
      <p v-if="!shown.length" class="sg-muted">None.</p>
      <div :class="dense ? 'sg-rows' : 'sg-cards'">
        <article v-for="[key, row] in shown" :key="key" class="sg-evse" :class="['sg-' + row.kind, { 'sg-open': open === key }]"
                 :data-evse="key" tabindex="0" @click="toggle(key)" @keydown.enter.self="toggle(key)">
          <div class="sg-evse-head">
            <h3>{{ row.station }}<small v-if="row.evse"> · {{ row.evse }}</small></h3>
            <span class="sg-chip" :class="'sg-' + row.tone">{{ row.text }}</span>
          </div>
          <div class="sg-numbers" :class="{ 'sg-none': !row.busy }">
            <span class="sg-power"><b>{{ row.power_kw ?? "–" }}</b> kW</span>
            <span class="sg-energy"><b>{{ row.energy_kwh ?? "–" }}</b> kWh</span>
            <span class="sg-allowed">limit <b>{{ row.limit_a ?? "–" }}</b> A</span>
          </div>
          <p v-if="row.note" class="sg-why">{{ row.note }}</p>
          <p v-else-if="row.why" class="sg-why">{{ row.why.text }} <em>{{ row.why.since }}</em></p>
          <p v-if="row.queue" class="sg-queue">{{ row.queue }}</p>
          <p v-if="row.wish" class="sg-wish">{{ row.wish }}</p>
          <div v-if="open === key" class="sg-more" @click.stop>
          <button v-if="mayChange" class="sg-button" @click="$emit('wish', row.station, row.evse_id)">
            Driver's wish…
          </button>
          <EvseDay :station="row.station" :evse="row.evse_id" />
          <dl class="sg-details">
            <template v-if="row.currents_a"><dt>L1 · L2 · L3</dt><dd>{{ row.currents_a }} A</dd></template>
            <dt>Circuit</dt><dd>{{ row.circuit }}</dd>
            <template v-for="[word, text] in row.details"><dt>{{ word }}</dt><dd>{{ text }}</dd></template>
          </dl>
          </div>
        </article>
      </div>
    </div>
  `,
  data: () => ({ site, kinds: KINDS, kind: "all", search: "", open: null }),
  methods: {
    toggle(key) {
      this.open = this.open === key ? null : key;
    },
  },
  computed: {
    count() {
      return Object.keys(this.site.evses).length;
    },
    dense() {
      return this.count > DENSE_FROM;
    },
    shown() {
      const wanted = this.search.trim().toLowerCase();
      return Object.entries(this.site.evses).filter(
        ([key, row]) =>
          (this.kind === "all" || row.kind === this.kind) &&
          (!wanted || key.toLowerCase().includes(wanted)),
      );
    },
  },
};
