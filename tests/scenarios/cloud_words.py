"""What the simulated cloud asks of the site, in the words of either version."""

VERSIONS = ["ocpp1.6", "ocpp2.0.1"]
LONG_AGO = "2026-01-01T00:00:00Z"


class Words16:
    """Commands of OCPP 1.6, and where its answers hold what was asked for."""

    version = "ocpp1.6"

    def __init__(self, cloud):
        self.cloud = cloud

    async def start(self, token, evse=None, profile=None):
        payload = {"idTag": token}
        if evse is not None:
            payload["connectorId"] = evse
        if profile is not None:
            payload["chargingProfile"] = profile
        return await self.cloud.call("RemoteStartTransaction", payload)

    async def stop(self, booked):
        number = int(booked.transaction_id)
        return await self.cloud.call("RemoteStopTransaction", {"transactionId": number})

    async def stop_unknown(self):
        return await self.cloud.call("RemoteStopTransaction", {"transactionId": 4711})

    def profile(self, limit, purpose="TxDefaultProfile", number=1, booked=None, unit="A"):
        said = {
            "chargingProfileId": number,
            "stackLevel": 0,
            "chargingProfilePurpose": {
                "ChargingStationMaxProfile": "ChargePointMaxProfile",
            }.get(purpose, purpose),
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": LONG_AGO,
                "chargingRateUnit": unit,
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
            },
        }
        return said | ({"transactionId": int(booked.transaction_id)} if booked else {})

    async def set_profile(self, evse, profile):
        payload = {"connectorId": evse, "csChargingProfiles": profile}
        return await self.cloud.call("SetChargingProfile", payload)

    async def clear_profile(self, number):
        return await self.cloud.call("ClearChargingProfile", {"id": number})

    async def composite(self, evse, unit):
        payload = {"connectorId": evse, "duration": 3600, "chargingRateUnit": unit}
        answer = await self.cloud.call("GetCompositeSchedule", payload)
        return answer["status"], answer.get("chargingSchedule")

    async def make(self, is_operational, evse=None):
        word = "Operative" if is_operational else "Inoperative"
        payload = {"connectorId": evse or 0, "type": word}
        return await self.cloud.call("ChangeAvailability", payload)

    async def unlock(self, evse):
        return await self.cloud.call("UnlockConnector", {"connectorId": evse})

    async def reset(self, is_immediate):
        return await self.cloud.call("Reset", {"type": "Hard" if is_immediate else "Soft"})

    async def trigger(self, message, evse=None):
        payload = {"requestedMessage": message}
        if evse is not None:
            payload["connectorId"] = evse
        return await self.cloud.call("TriggerMessage", payload)

    async def set(self, key, _, value):
        answer = await self.cloud.call("ChangeConfiguration", {"key": key, "value": value})
        return answer["status"]

    async def send_list(self, version, entries, *, is_full=True):
        said = [
            {"idTag": token} | ({"idTagInfo": {"status": status}} if status else {})
            for token, status in entries.items()
        ]
        payload = {"listVersion": version, "updateType": "Full" if is_full else "Differential"}
        answer = await self.cloud.call("SendLocalList", payload | {"localAuthorizationList": said})
        return answer["status"]

    async def list_version(self):
        return (await self.cloud.call("GetLocalListVersion", {}))["listVersion"]


class Words201:
    """Commands of OCPP 2.0.1."""

    version = "ocpp2.0.1"

    def __init__(self, cloud):
        self.cloud = cloud

    async def start(self, token, evse=None, profile=None, remote_start_id=42):
        payload = {
            "idToken": {"idToken": token, "type": "Central"},
            "remoteStartId": remote_start_id,
        }
        if evse is not None:
            payload["evseId"] = evse
        if profile is not None:
            payload["chargingProfile"] = profile
        return await self.cloud.call("RequestStartTransaction", payload)

    async def stop(self, booked):
        payload = {"transactionId": booked.transaction_id}
        return await self.cloud.call("RequestStopTransaction", payload)

    async def stop_unknown(self):
        return await self.cloud.call("RequestStopTransaction", {"transactionId": "no-such"})

    def profile(self, limit, purpose="TxDefaultProfile", number=1, booked=None, unit="A"):
        said = {
            "id": number,
            "stackLevel": 0,
            "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Absolute",
            "chargingSchedule": [
                {
                    "id": number,
                    "startSchedule": LONG_AGO,
                    "chargingRateUnit": unit,
                    "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
                }
            ],
        }
        return said | ({"transactionId": booked.transaction_id} if booked else {})

    async def set_profile(self, evse, profile):
        payload = {"evseId": evse, "chargingProfile": profile}
        return await self.cloud.call("SetChargingProfile", payload)

    async def clear_profile(self, number):
        return await self.cloud.call("ClearChargingProfile", {"chargingProfileId": number})

    async def composite(self, evse, unit):
        payload = {"evseId": evse, "duration": 3600, "chargingRateUnit": unit}
        answer = await self.cloud.call("GetCompositeSchedule", payload)
        return answer["status"], answer.get("schedule")

    async def make(self, is_operational, evse=None):
        payload = {"operationalStatus": "Operative" if is_operational else "Inoperative"}
        if evse is not None:
            payload["evse"] = {"id": evse}
        return await self.cloud.call("ChangeAvailability", payload)

    async def unlock(self, evse):
        return await self.cloud.call("UnlockConnector", {"evseId": evse, "connectorId": 1})

    async def reset(self, is_immediate, evse=None):
        payload = {"type": "Immediate" if is_immediate else "OnIdle"}
        if evse is not None:
            payload["evseId"] = evse
        return await self.cloud.call("Reset", payload)

    async def trigger(self, message, evse=None):
        payload = {"requestedMessage": message}
        if evse is not None:
            payload["evse"] = {"id": evse, "connectorId": 1}
        return await self.cloud.call("TriggerMessage", payload)

    async def set(self, _, variable, value):
        component, _, name = variable.partition(".")
        asked = {"component": {"name": component}, "variable": {"name": name}}
        payload = {"setVariableData": [asked | {"attributeValue": value}]}
        answer = await self.cloud.call("SetVariables", payload)
        return answer["setVariableResult"][0]["attributeStatus"]

    async def send_list(self, version, entries, *, is_full=True):
        said = [
            {"idToken": {"idToken": token, "type": "Central"}}
            | ({"idTokenInfo": {"status": status}} if status else {})
            for token, status in entries.items()
        ]
        payload = {"versionNumber": version, "updateType": "Full" if is_full else "Differential"}
        answer = await self.cloud.call("SendLocalList", payload | {"localAuthorizationList": said})
        return answer["status"]

    async def list_version(self):
        return (await self.cloud.call("GetLocalListVersion", {}))["versionNumber"]


def words_of(depot):
    """Return how the cloud of this depot says things."""
    (version,) = depot.cloud.protocols
    return {"ocpp1.6": Words16, "ocpp2.0.1": Words201}[version](depot.cloud)


def heard(cloud, action, **fields):
    """Return the payloads of one action that the cloud has heard, in order."""
    return [
        call.payload
        for call in cloud.heard
        if call.action == action and fields.items() <= call.payload.items()
    ]


def is_blameless(cloud, *benches):
    """Nobody broke a schema or a rule: neither towards the cloud nor towards the stations."""
    assert cloud.violations == []
    assert [complaint.text for complaint in cloud.complaints] == []
    for bench in benches:
        assert bench.station.talk.violations == []
    return True
