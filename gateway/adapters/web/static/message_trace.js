// OCPP frames as they passed, newest first.
const MOST = 500;

export default {
  template: `
    <div>
      <p v-if="!entries.length" class="sg-muted">Nothing has passed yet.</p>
      <div class="sg-trace">
        <div v-for="entry in entries" :key="entry.number" class="sg-frame"
             @click="open = open === entry.number ? null : entry.number">
          <time>{{ entry.at }}</time>
          <b>{{ entry.station }}</b>
          <i :class="'sg-' + entry.direction">{{ entry.direction === "in" ? "→ in" : "← out" }}</i>
          <pre v-if="open === entry.number">{{ pretty(entry.frame) }}</pre>
          <code v-else>{{ entry.frame }}</code>
        </div>
      </div>
    </div>
  `,
  data: () => ({ entries: [], open: null, count: 0 }),
  methods: {
    replace(entries) {
      this.entries = [];
      this.open = null;
      this.append(entries);
    },
    append(entries) {
      for (const entry of entries) this.entries.unshift({ ...entry, number: this.count++ });
      this.entries.splice(MOST);
    },
    pretty(frame) {
      try {
        return JSON.stringify(JSON.parse(frame), null, 2);
      } catch {
        return frame; // not JSON: that is what one wants to see
      }
    },
  },
};
