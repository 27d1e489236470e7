// Charging stations made of npm's ocpp-rpc in strict mode: `node stations.mjs ws://HOST:PORT/ocpp`.
//
// Standard input says what they do, one at a time: {"id", "identity", "act", …} with the acts
// connect {version, password, evses}, reconnect, say {action, payload}, charge {evse, token}, or in
// steps arrive {evse, token}, draw {evse}, leave {evse}. Each is answered when it is done. Whatever
// the gateway asks of them is told, and accepted.

import { RPCClient } from "ocpp-rpc";
import { listen, say, tellFaults } from "./lines.mjs";

const url = process.argv[2];
const now = () => new Date().toISOString();
const ENERGY = "Energy.Active.Import.Register";
const SAMPLES = 3;
const WH_PER_SAMPLE = 250;

class Station {
  constructor({ identity, version, password, evses }) {
    this.identity = identity;
    this.evses = evses;
    this.registersWh = new Map(evses.map((evse) => [evse, 1000 * evse]));
    this.visits = new Map();
    this.client = new RPCClient({
      endpoint: url,
      identity,
      password,
      protocols: [version],
      strictMode: true,
      reconnect: false,
    });
    tellFaults(this.client);
    for (const [action, answer] of Object.entries(this.commands())) {
      this.client.handle(action, ({ params }) => {
        say("call", { identity, action, payload: params });
        return answer(params);
      });
    }
    this.client.handle(({ method, params }) => {
      say("unexpected", { identity, action: method, payload: params });
      return {};
    });
  }

  call(action, payload) {
    return this.client.call(action, payload);
  }

  // A whole visit: begin, some energy, end.
  async charge(visit) {
    await this.arrive(visit);
    for (let sample = 0; sample < SAMPLES; sample += 1) {
      await this.draw(visit);
    }
    await this.leave(visit);
  }

  async arrive({ evse, token, remoteStartId = null }) {
    if (remoteStartId === null) {
      await this.authorize(token);
    }
    const startWh = this.registersWh.get(evse);
    const visit = { evse, token, remoteStartId, startWh, beganAt: now() };
    this.visits.set(evse, visit);
    await this.begin(visit);
  }

  async draw({ evse }) {
    this.registersWh.set(evse, this.registersWh.get(evse) + WH_PER_SAMPLE);
    await this.sample(this.visits.get(evse), this.registersWh.get(evse));
  }

  // End the visit, and tell the test what the station knows of it.
  async leave({ evse }) {
    const visit = this.visits.get(evse);
    visit.stopWh = this.registersWh.get(evse) + 1;
    this.registersWh.set(evse, visit.stopWh);
    visit.endedAt = now();
    await this.end(visit);
    say("charged", { identity: this.identity, ...visit });
  }

  // Without a BootNotification: a reconnect is no reboot.
  async reconnect() {
    await this.client.connect();
  }
}

class Station16 extends Station {
  async connect() {
    await this.client.connect();
    const boot = { chargePointVendor: "Foreign", chargePointModel: "Box 16", firmwareVersion: "7" };
    const { status } = await this.call("BootNotification", boot);
    for (const connector of [0, ...this.evses]) {
      await this.status(connector, "Available");
    }
    return status;
  }

  status(connectorId, status) {
    const told = { connectorId, status, errorCode: "NoError", timestamp: now() };
    return this.call("StatusNotification", told);
  }

  async authorize(idTag) {
    const { idTagInfo } = await this.call("Authorize", { idTag });
    if (idTagInfo.status !== "Accepted") throw new Error(`Authorize: ${idTagInfo.status}`);
  }

  async begin(visit) {
    await this.status(visit.evse, "Preparing");
    const { transactionId, idTagInfo } = await this.call("StartTransaction", {
      connectorId: visit.evse,
      idTag: visit.token,
      meterStart: visit.startWh,
      timestamp: visit.beganAt,
    });
    if (idTagInfo.status !== "Accepted") throw new Error(`Start: ${idTagInfo.status}`);
    visit.transactionId = transactionId;
    await this.status(visit.evse, "Charging");
  }

  sample({ evse, transactionId }, registerWh) {
    const sampledValue = [{ value: `${registerWh}`, measurand: ENERGY, unit: "Wh" }];
    return this.call("MeterValues", {
      connectorId: evse,
      transactionId,
      meterValue: [{ timestamp: now(), sampledValue }],
    });
  }

  async end({ evse, token, transactionId, stopWh, endedAt }) {
    await this.call("StopTransaction", {
      transactionId,
      idTag: token,
      meterStop: stopWh,
      timestamp: endedAt,
      reason: "Local",
    });
    await this.status(evse, "Finishing");
    await this.status(evse, "Available");
  }

  commands() {
    const accepted = () => ({ status: "Accepted" });
    return {
      GetConfiguration: ({ key }) => ({
        configurationKey: [
          { key: "ChargingScheduleAllowedChargingRateUnit", readonly: true, value: "Current" },
        ].filter((row) => key.includes(row.key)),
        unknownKey: key.filter((name) => name !== "ChargingScheduleAllowedChargingRateUnit"),
      }),
      ChangeConfiguration: accepted,
      SetChargingProfile: accepted,
      ClearChargingProfile: accepted,
      GetCompositeSchedule: () => ({ status: "Rejected" }),
      TriggerMessage: accepted,
      ChangeAvailability: accepted,
      RemoteStopTransaction: accepted,
      UnlockConnector: () => ({ status: "Unlocked" }),
      RemoteStartTransaction: ({ connectorId, idTag }) => {
        setImmediate(() => this.charge({ evse: connectorId, token: idTag, remoteStartId: 0 }));
        return { status: "Accepted" };
      },
    };
  }
}

class Station201 extends Station {
  async connect() {
    await this.client.connect();
    const { status } = await this.call("BootNotification", {
      reason: "PowerUp",
      chargingStation: { vendorName: "Foreign", model: "Box 201", firmwareVersion: "7" },
    });
    for (const evse of this.evses) {
      await this.status(evse, "Available");
    }
    return status;
  }

  status(evseId, connectorStatus) {
    const told = { evseId, connectorId: 1, connectorStatus, timestamp: now() };
    return this.call("StatusNotification", told);
  }

  async authorize(idToken) {
    const asked = { idToken: { idToken, type: "Local" } };
    const { idTokenInfo } = await this.call("Authorize", asked);
    if (idTokenInfo.status !== "Accepted") throw new Error(`Authorize: ${idTokenInfo.status}`);
  }

  async begin(visit) {
    visit.transactionId = crypto.randomUUID();
    visit.seqNo = 0;
    await this.status(visit.evse, "Occupied");
    const isRemote = visit.remoteStartId !== null;
    const { idTokenInfo } = await this.tell(visit, "Started", visit.beganAt, {
      triggerReason: isRemote ? "RemoteStart" : "Authorized",
      info: {
        chargingState: "EVConnected",
        ...(isRemote && { remoteStartId: visit.remoteStartId }),
      },
      idToken: { idToken: visit.token, type: "Local" },
      register: [visit.startWh, "Transaction.Begin"],
    });
    if (idTokenInfo.status !== "Accepted") throw new Error(`Started: ${idTokenInfo.status}`);
  }

  sample(visit, registerWh) {
    return this.tell(visit, "Updated", now(), {
      triggerReason: visit.seqNo === 1 ? "ChargingStateChanged" : "MeterValuePeriodic",
      info: { chargingState: "Charging" },
      register: [registerWh, "Sample.Periodic"],
    });
  }

  async end(visit) {
    await this.tell(visit, "Ended", visit.endedAt, {
      triggerReason: "StopAuthorized",
      info: { stoppedReason: "Local" },
      register: [visit.stopWh, "Transaction.End"],
    });
    await this.status(visit.evse, "Available");
  }

  tell(visit, eventType, timestamp, { triggerReason, info, idToken, register }) {
    const [value, context] = register;
    const sample = { value, context, measurand: ENERGY, unitOfMeasure: { unit: "Wh" } };
    const event = {
      eventType,
      timestamp,
      triggerReason,
      seqNo: visit.seqNo,
      transactionInfo: { transactionId: visit.transactionId, ...info },
      evse: { id: visit.evse, connectorId: 1 },
      meterValue: [{ timestamp, sampledValue: [sample] }],
    };
    visit.seqNo += 1;
    return this.call("TransactionEvent", idToken ? { ...event, idToken } : event);
  }

  commands() {
    const accepted = () => ({ status: "Accepted" });
    return {
      GetVariables: ({ getVariableData }) => ({
        getVariableResult: getVariableData.map(({ component, variable }) => ({
          attributeStatus: variable.name === "RateUnit" ? "Accepted" : "UnknownVariable",
          ...(variable.name === "RateUnit" && { attributeValue: "A,W" }),
          component,
          variable,
        })),
      }),
      SetVariables: ({ setVariableData }) => ({
        setVariableResult: setVariableData.map(({ component, variable }) => ({
          attributeStatus: "Accepted",
          component,
          variable,
        })),
      }),
      SetChargingProfile: accepted,
      ClearChargingProfile: accepted,
      GetCompositeSchedule: () => ({ status: "Rejected" }),
      TriggerMessage: accepted,
      ChangeAvailability: accepted,
      RequestStopTransaction: accepted,
      UnlockConnector: () => ({ status: "Unlocked" }),
      RequestStartTransaction: ({ evseId, idToken, remoteStartId }) => {
        const asked = { evse: evseId, token: idToken.idToken, remoteStartId };
        setImmediate(() => this.charge(asked));
        return { status: "Accepted" };
      },
    };
  }
}

const KINDS = { "ocpp1.6": Station16, "ocpp2.0.1": Station201 };
const stations = new Map();

const ACTS = {
  connect: (order) => {
    const station = new KINDS[order.version](order);
    stations.set(order.identity, station);
    return station.connect();
  },
  say: ({ identity, action, payload }) => stations.get(identity).call(action, payload),
};
for (const act of ["charge", "arrive", "draw", "leave", "reconnect"]) {
  ACTS[act] = ({ identity, ...visit }) => stations.get(identity)[act](visit);
}

listen(async ({ id, act, ...order }) => {
  try {
    say("answer", { id, result: (await ACTS[act](order)) ?? null });
  } catch (error) {
    say("answer", { id, error: error.rpcErrorCode ?? error.name, sentence: error.message });
  }
});
