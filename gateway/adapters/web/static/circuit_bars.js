import { site } from "site-gateway-store";

export default {
  props: { mayChange: Boolean },
  emits: ["limit"],
  template: `
    <div>
      <section v-for="circuit in site.circuits" :key="circuit.id" class="sg-circuit"
               :data-circuit="circuit.id">
        <div class="sg-circuit-head">
          <h3>{{ circuit.id }}</h3>
          <span class="sg-muted">limit <b>{{ limit(circuit) }}</b> of {{ circuit.rating }}</span>
          <button v-if="mayChange" class="sg-button" @click="$emit('limit', circuit.id)">
            Limit…
          </button>
        </div>
        <div class="sg-phases">
          <div v-for="phase in circuit.phases" :key="phase.name" :title="title(circuit, phase)">
            <div class="sg-amps" :class="'sg-' + phase.tone">
              <span>{{ phase.name }}</span>
              <b>{{ amperes(circuit, phase) }}</b> A
            </div>
            <div class="sg-bar">
              <i class="sg-given" :style="{ width: share(phase.allocated_a, phase) }"></i>
              <i class="sg-measured" :class="'sg-' + phase.tone"
                 :style="{ width: share(phase.measured_a, phase) }"></i>
              <i class="sg-limit" :style="{ left: share(phase.limit_a, phase) }"></i>
            </div>
          </div>
        </div>
        <ul v-if="circuit.limiters.length" class="sg-limiters">
          <li v-for="limiter in circuit.limiters" :class="'sg-' + limiter.tone">{{ limiter.text }}</li>
        </ul>
        <p v-if="circuit.note" class="sg-note sg-bad">{{ circuit.note }}</p>
      </section>
      <p class="sg-legend">
        <i class="sg-swatch sg-measured"></i> measured
        <i class="sg-swatch sg-given"></i> given to vehicles
        <i class="sg-swatch sg-limit"></i> limit
      </p>
    </div>
  `,
  data: () => ({ site }),
  methods: {
    limit(circuit) {
      const limits = circuit.phases.map((phase) => phase.limit_a);
      return new Set(limits).size === 1 ? limits[0] : limits.join("/");
    },
    /** A circuit without a meter draws no more than what was given to vehicles there. */
    amperes(circuit, phase) {
      if (phase.measured_a !== null) return phase.measured_a.toFixed(1);
      return circuit.is_metered ? "–" : "≤ " + phase.allocated_a.toFixed(1);
    },
    /** Of what the phase's own fuse allows. */
    share(current, phase) {
      const percent = (100 * (current ?? 0)) / phase.rating_a;
      return Math.max(0, Math.min(100, percent)).toFixed(1) + "%";
    },
    title(circuit, phase) {
      const measured = phase.measured_a === null ? "not measured" : phase.measured_a + " A measured";
      return `${circuit.id} ${phase.name}: ${measured}, ${phase.allocated_a} A given to vehicles, ` +
        `limit ${phase.limit_a} A, fuse ${phase.rating_a} A`;
    },
  },
};
