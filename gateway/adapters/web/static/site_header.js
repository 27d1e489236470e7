import { site } from "site-gateway-store";

export default {
  template: `
    <div>
      <header class="sg-header">
        <div class="sg-title">
          <h1>{{ site.name }}</h1>
          <form class="sg-clock" method="post" action="/signout">
            <b>{{ site.clock }}</b> {{ site.date }} <span class="sg-who">{{ site.caller }}</span>
            <button type="submit">Sign out</button>
          </form>
        </div>
        <div class="sg-facts">
          <div class="sg-fact">
            <b id="site-power">{{ site.totals.power_kw ?? "–" }}<small> kW</small></b>
            <span>site</span>
          </div>
          <div class="sg-fact">
            <b>{{ site.totals.charging_kw }}<small> kW</small></b>
            <span>{{ site.totals.charging }} charging</span>
          </div>
          <div class="sg-fact" :class="'sg-' + site.cloud.tone">
            <b class="sg-word"><i class="sg-dot"></i>{{ site.cloud.text }}</b>
            <span>{{ site.cloud.detail }}</span>
          </div>
          <div class="sg-fact" :class="'sg-' + site.outbox.tone">
            <b id="outbox-pending">{{ site.outbox.pending }}<small> waiting</small></b>
            <span v-if="site.outbox.quarantined">{{ site.outbox.quarantined }} in quarantine</span>
            <span v-else>{{ site.outbox.detail }}</span>
          </div>
        </div>
        </header>
      <div v-for="line in site.health.lines" class="sg-alert" :class="'sg-' + line.tone"
           :role="line.tone === 'bad' ? 'alert' : 'status'">
        <b>{{ line.text }}</b> <small v-if="line.advice">{{ line.advice }}</small>
      </div>
    </div>
  `,
  data: () => ({ site }),
};
