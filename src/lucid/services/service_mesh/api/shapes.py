"""What instances, checks, keys and sessions look like in Consul's answers."""

import base64
import itertools
from typing import Any

from lucid.services.service_mesh.durations import written
from lucid.services.service_mesh.entries import Entry
from lucid.services.service_mesh.instances import CheckState, Instances, InstanceState
from lucid.services.service_mesh.sessions import Session
from lucid.services.service_mesh.settings import ServiceMeshSettings


class Shapes:
    """Makes JSON of the one node's state."""

    def __init__(self, settings: ServiceMeshSettings, instances: Instances) -> None:
        self._settings = settings
        self._instances = instances

    def node(self) -> dict[str, Any]:
        return {
            "ID": "",
            "Node": self._settings.node_name,
            "Address": self._settings.node_address,
            "Datacenter": self._settings.datacenter,
            "TaggedAddresses": {"lan": self._settings.node_address},
            "Meta": {},
            "CreateIndex": 1,
            "ModifyIndex": 1,
        }

    def agent_service(self, instance: InstanceState) -> dict[str, Any]:
        return {
            "ID": instance.id,
            "Service": instance.service,
            "Tags": list(instance.tags),
            "Meta": dict(instance.meta),
            "Address": instance.address,
            "Port": instance.port,
            "Weights": {"Passing": 1, "Warning": 1},
            "EnableTagOverride": False,
            "Datacenter": self._settings.datacenter,
            "CreateIndex": instance.create_index,
            "ModifyIndex": instance.modify_index,
        }

    def catalog_service(self, instance: InstanceState) -> dict[str, Any]:
        shown = {f"Service{key}": value for key, value in self.agent_service(instance).items()}
        return {
            **self.node(),
            "ServiceID": instance.id,
            "ServiceName": instance.service,
            **{key: shown[key] for key in ("ServiceTags", "ServiceMeta", "ServiceAddress", "ServicePort")},
            "CreateIndex": instance.create_index,
            "ModifyIndex": instance.modify_index,
        }

    def check(self, check: CheckState) -> dict[str, Any]:
        instance = self._instances.services.get(check.service)
        return {
            "Node": self._settings.node_name,
            "CheckID": check.id,
            "Name": check.name,
            "Status": check.status,
            "Notes": check.notes,
            "Output": check.output,
            "ServiceID": check.service,
            "ServiceName": instance.service if instance else "",
            "ServiceTags": list(instance.tags) if instance else [],
            "Type": check.type,
            "Definition": {},
            "CreateIndex": check.create_index,
            "ModifyIndex": check.modify_index,
        }

    def health(self, instance: InstanceState) -> dict[str, Any]:
        both = itertools.chain(self._instances.node_checks(), self._instances.checks_of(instance))
        checks = [self.check(check) for check in both]
        return {"Node": self.node(), "Service": self.agent_service(instance), "Checks": checks}

    def entry(self, entry: Entry, *, value: bool = True) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "LockIndex": entry.lock_index,
            "Key": entry.key,
            "Flags": entry.flags,
            "Value": base64.b64encode(entry.value).decode() if value and entry.value else None,
            "CreateIndex": entry.create_index,
            "ModifyIndex": entry.modify_index,
        }
        return shown | ({"Session": entry.session} if entry.session else {})

    def session(self, session: Session) -> dict[str, Any]:
        return {
            "ID": session.id,
            "Name": session.name,
            "Node": self._settings.node_name,
            "LockDelay": int(session.lock_delay_s * 1e9),
            "Behavior": session.behavior,
            "TTL": written(session.ttl_s) if session.ttl_s else "",
            "NodeChecks": list(session.checks),
            "ServiceChecks": [{"ID": check} for check in session.service_checks] or None,
            "CreateIndex": session.create_index,
            "ModifyIndex": session.create_index,
        }
