// OCPP frames as they passed, newest first. An answer is shown with the action it answers.
const MOST = 500;
const CALL = 2;
const ERROR = 4;

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
          <span :class="{ 'sg-answer': entry.isAnswer, 'sg-error': entry.isError }">
            {{ entry.action }}
          </span>
          <pre v-if="open === entry.number">{{ pretty(entry.frame) }}</pre>
          <code v-else>{{ entry.text }}</code>
        </div>
      </div>
    </div>
  `,
  data: () => ({ entries: [], open: null }),
  created() {
    this.count = 0;
    this.actions = new Map(); // station and message id -> action, of the last calls
  },
  methods: {
    replace(entries) {
      this.entries = [];
      this.open = null;
      this.append(entries);
    },
    append(entries) {
      for (const entry of entries) this.entries.unshift(this.read(entry));
      this.entries.splice(MOST);
    },
    /** Say what a frame is; one that is none is shown as it came. */
    read(entry) {
      const row = { ...entry, number: this.count++, action: "", text: entry.frame };
      let frame;
      try {
        frame = JSON.parse(entry.frame);
      } catch {
        return row;
      }
      if (!Array.isArray(frame)) return row;
      const [type, id, action] = frame;
      const key = `${entry.station} ${id}`;
      row.isAnswer = type !== CALL;
      row.isError = type === ERROR;
      if (type === CALL) this.remember(key, action);
      row.action = (type === CALL ? action : this.actions.get(key)) ?? "";
      row.text = frame.slice(type === CALL ? 3 : 2).map((part) => JSON.stringify(part)).join(" ");
      return row;
    },
    remember(key, action) {
      this.actions.set(key, action);
      if (this.actions.size > MOST) this.actions.delete(this.actions.keys().next().value);
    },
    pretty(frame) {
      try {
        return JSON.stringify(JSON.parse(frame), null, 2);
      } catch {
        return frame;
      }
    },
  },
};
