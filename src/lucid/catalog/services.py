"""Every service of the platform, one literal each, in the order of the deployment phases."""

from lucid.catalog.keys import (
    ACCOUNT_SEAL_KEY,
    HOST_SEAL_KEY,
    LOG_KEY,
    MESH_TOKEN,
    NODE_KEY,
    OWNER_IDENTITY,
    PLATFORM_IDENTITY,
)
from lucid.catalog.passwords import ADMINISTRATOR_PASSWORD, OIDC_CLIENT_SECRET
from lucid.catalog.types import Container, Private, Public, Publish, Resources, Service
from lucid.ports.access import AccountKeeping, Accounts, Approvals, Audit, Door, Gateway, Hosts, Tickets, Tokens
from lucid.ports.apicatalog import ApiCatalog
from lucid.ports.desktops import Desktops, Prober, XrdpHost
from lucid.ports.http import Listener, Upstream
from lucid.ports.identity import Signer
from lucid.ports.keeping import Keeping
from lucid.ports.log import Anchoring, DataChain, LogStore, LogWriter
from lucid.ports.machine import DesktopMachine
from lucid.ports.monitor import Monitor
from lucid.ports.nodes import Nodes
from lucid.ports.recording import Pipeline, Processor, Recorder, Storage
from lucid.ports.registry import Registry
from lucid.ports.search import Search, SearchIndex
from lucid.ports.stores import Blobs, Bus, Documents, Folder
from lucid.ports.web import Web
from lucid.services.api_gateway.settings import ApiGatewaySettings
from lucid.services.block_manager.settings import BlockManagerSettings
from lucid.services.blockchain_engine.settings import BlockchainEngineSettings
from lucid.services.data_chain.settings import DataChainSettings
from lucid.services.lucid_auth_service.settings import LucidAuthServiceSettings
from lucid.services.node_management.settings import NodeManagementSettings
from lucid.services.rdp_controller.settings import RdpControllerSettings
from lucid.services.rdp_monitor.settings import RdpMonitorSettings
from lucid.services.rdp_server_manager.settings import RdpServerManagerSettings
from lucid.services.rdp_xrdp.settings import RdpXrdpSettings
from lucid.services.service_mesh.settings import ServiceMeshSettings
from lucid.services.session_anchoring.settings import SessionAnchoringSettings
from lucid.services.session_api.settings import SessionApiSettings
from lucid.services.session_pipeline.settings import SessionPipelineSettings
from lucid.services.session_processor.settings import SessionProcessorSettings
from lucid.services.session_recorder.settings import SessionRecorderSettings
from lucid.services.session_storage.settings import SessionStorageSettings

SERVICES = (
    Service(
        name="lucid-auth-service",
        summary="accounts, logins, approvals, connection tickets and the audit trail",
        phase=1,
        port=8089,
        embedded_port=11089,
        entry="lucid.services.lucid_auth_service.app:create",
        settings=LucidAuthServiceSettings,
        needs=(Documents, Bus, Anchoring, Web),
        provides=(Tickets, Accounts, AccountKeeping, Tokens, Audit, Approvals),
        api=(
            "/api/v1/account",
            "/api/v1/accounts",
            "/api/v1/approvals",
            "/api/v1/audit",
            "/api/v1/keys",
            "/api/v1/login",
            "/api/v1/logins",
            "/api/v1/logout",
            "/api/v1/tokens",
        ),
        keys={"account_seal_key": Private(ACCOUNT_SEAL_KEY)},
        volumes=(),
        resources=Resources(memory_mib=320, cpus=1.0),
        container=Container(
            passwords=(ADMINISTRATOR_PASSWORD, OIDC_CLIENT_SECRET),
            published=(Publish(8089, "accounts and logins"),),
            after=("lucid-mongodb", "lucid-redis", "lucid-elasticsearch"),
        ),
    ),
    Service(
        name="service-mesh",
        summary="who is where and who is well, keys and locks, in Consul's HTTP API",
        phase=2,
        port=8500,
        embedded_port=12500,
        entry="lucid.services.service_mesh.app:create",
        settings=ServiceMeshSettings,
        needs=(Documents,),
        provides=(Registry,),
        keys={"mesh_token": Private(MESH_TOKEN)},
        public_routes=True,
        volumes=(),
        container=Container(after=("lucid-mongodb", "lucid-redis")),
    ),
    Service(
        name="api-gateway",
        summary="the one public HTTP door",
        phase=2,
        port=8081,
        embedded_port=12081,
        entry="lucid.services.api_gateway.app:create",
        settings=ApiGatewaySettings,
        needs=(Tokens, Registry, Bus, Signer, Folder, ApiCatalog, Listener, Upstream),
        provides=(Door,),
        listens={"public_port": 8080},
        embedded={"public_port": 12080},
        resources=Resources(memory_mib=192, cpus=1.0),
        container=Container(
            published=(Publish(8080, "the public API"),), after=("lucid-mongodb", "lucid-redis", "lucid-auth-service")
        ),
    ),
    Service(
        name="block-manager",
        summary="blocks and tiles at rest, proofs, fsck",
        phase=2,
        port=8087,
        embedded_port=12087,
        entry="lucid.services.block_manager.app:create",
        settings=BlockManagerSettings,
        needs=(Folder,),
        provides=(LogStore,),
        keys={"log_key": Public(LOG_KEY)},
        public_routes=True,
        published={
            "/log/checkpoint": "/checkpoint",
            "/log/key": "/key",
            "/log/tile/": "/tile/",
            "/log/block/": "/block/",
        },
        container=Container(after=("lucid-mongodb", "lucid-redis", "blockchain-engine")),
    ),
    Service(
        name="blockchain-engine",
        summary="the order of log entries, signed blocks and checkpoints",
        phase=2,
        port=8084,
        embedded_port=12084,
        entry="lucid.services.blockchain_engine.app:create",
        settings=BlockchainEngineSettings,
        needs=(Folder, LogStore),
        provides=(LogWriter,),
        keys={"log_key": Private(LOG_KEY)},
        container=Container(after=("lucid-mongodb", "lucid-redis")),
    ),
    Service(
        name="data-chain",
        summary="the bodies that log entries commit to",
        phase=2,
        port=8088,
        embedded_port=12088,
        entry="lucid.services.data_chain.app:create",
        settings=DataChainSettings,
        needs=(Blobs,),
        provides=(DataChain,),
        container=Container(after=("lucid-mongodb", "lucid-redis", "blockchain-engine")),
    ),
    Service(
        name="session-anchoring",
        summary="openings and closings in the log, proof bundles",
        phase=2,
        port=8086,
        embedded_port=12086,
        entry="lucid.services.session_anchoring.app:create",
        settings=SessionAnchoringSettings,
        needs=(LogWriter, LogStore, DataChain, Documents),
        provides=(Anchoring,),
        keys={"log_key": Public(LOG_KEY)},
        volumes=(),
        container=Container(after=("lucid-mongodb", "lucid-redis", "blockchain-engine")),
    ),
    Service(
        name="session-recorder",
        summary="frames in, durable encrypted journal, closed segments out",
        phase=3,
        port=8084,
        embedded_port=13084,
        entry="lucid.services.session_recorder.app:create",
        settings=SessionRecorderSettings,
        needs=(Folder,),
        provides=(Recorder,),
        keys={"platform_identity": Private(PLATFORM_IDENTITY), "recipients": Public(OWNER_IDENTITY)},
        resources=Resources(memory_mib=256, cpus=1.0),
        container=Container(after=("lucid-mongodb", "lucid-redis", "lucid-elasticsearch", "api-gateway")),
    ),
    Service(
        name="session-storage",
        summary="sealed chunks at rest",
        phase=3,
        port=8086,
        embedded_port=13086,
        entry="lucid.services.session_storage.app:create",
        settings=SessionStorageSettings,
        needs=(Blobs,),
        provides=(Storage,),
        container=Container(after=("lucid-mongodb", "lucid-redis", "lucid-elasticsearch", "api-gateway")),
    ),
    Service(
        name="session-processor",
        summary="segments to sealed chunks: compress, encrypt, digest",
        phase=3,
        port=8085,
        embedded_port=13085,
        entry="lucid.services.session_processor.app:create",
        settings=SessionProcessorSettings,
        needs=(Recorder, Storage),
        provides=(Processor,),
        keys={"platform_identity": Private(PLATFORM_IDENTITY)},
        volumes=(),
        resources=Resources(memory_mib=256, cpus=1.0),
        container=Container(after=("lucid-mongodb", "lucid-redis", "lucid-elasticsearch", "api-gateway")),
    ),
    Service(
        name="session-pipeline",
        summary="each session from opened to proven",
        phase=3,
        port=8083,
        embedded_port=13083,
        entry="lucid.services.session_pipeline.app:create",
        settings=SessionPipelineSettings,
        needs=(Recorder, Processor, Storage, Anchoring, DataChain, Documents, Bus),
        provides=(Pipeline,),
        volumes=(),
        container=Container(after=("lucid-mongodb", "lucid-redis", "lucid-elasticsearch", "api-gateway")),
    ),
    Service(
        name="rdp-xrdp",
        summary="the built-in desktop host: real xrdp, supervised",
        phase=3,
        port=8094,
        embedded_port=13094,
        entry="lucid.services.rdp_xrdp.app:create",
        settings=RdpXrdpSettings,
        needs=(DesktopMachine, Folder),
        provides=(XrdpHost,),
        listens={"rdp_port": 3389},
        embedded={"rdp_port": 13390},
        resources=Resources(memory_mib=2048, cpus=2.0, pids=4096),
        container=Container(
            recipe="desktop",
            user="0:0",
            read_only=False,
            tmpfs={"/tmp": 256},  # noqa: S108 - of the container; X servers and desktops share it
            environment={
                "LUCID_RDP_XRDP_PUBLIC_ADDRESS": "rdp-xrdp",
                "LUCID_RDP_XRDP_HOME_DIR": "/data/rdp-xrdp/homes",
            },
            capabilities=("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"),
            exception="each desktop is a Unix account of its own: making accounts and logging people in takes root, "
            "a writable /etc and a shell",
            after=("lucid-mongodb", "lucid-redis", "api-gateway", "lucid-auth-service"),
        ),
    ),
    Service(
        name="rdp-server-manager",
        summary="desktop hosts with their sealed credentials, pools, and desktops on the built-in host",
        phase=3,
        port=8090,
        embedded_port=13090,
        entry="lucid.services.rdp_server_manager.app:create",
        settings=RdpServerManagerSettings,
        needs=(Documents, Anchoring, Pipeline, XrdpHost, Audit),
        provides=(Hosts, Desktops),
        keys={"host_seal_key": Private(HOST_SEAL_KEY)},
        api=("/api/v1/hosts", "/api/v1/pools", "/api/v1/desktops", "/api/v1/desktop-quotas"),
        volumes=(),
        container=Container(after=("lucid-mongodb", "lucid-redis", "api-gateway", "lucid-auth-service")),
    ),
    Service(
        name="rdp-controller",
        summary="the RDP gateway: tickets, policy, credential injection, the tee to the recorder",
        phase=3,
        port=8092,
        embedded_port=13092,
        entry="lucid.services.rdp_controller.app:create",
        settings=RdpControllerSettings,
        needs=(Tickets, Hosts, Pipeline, Recorder, Bus, Folder),
        provides=(Gateway,),
        listens={"rdp_port": 3389},
        embedded={"rdp_port": 13389},
        resources=Resources(memory_mib=256, cpus=2.0),
        container=Container(
            recipe="gateway",
            published=(Publish(3389, "RDP, for native clients"),),
            after=("lucid-mongodb", "lucid-redis", "api-gateway", "lucid-auth-service"),
        ),
    ),
    Service(
        name="session-api",
        summary="the public API of sessions and search: connecting, proofs, shares, holds, deletion",
        phase=3,
        port=8087,
        embedded_port=13087,
        entry="lucid.services.session_api.app:create",
        settings=SessionApiSettings,
        needs=(
            Pipeline,
            Anchoring,
            DataChain,
            Storage,
            LogWriter,
            Tickets,
            Approvals,
            Accounts,
            Audit,
            Hosts,
            Gateway,
            SearchIndex,
            Bus,
            Documents,
        ),
        provides=(Keeping, Search),
        api=("/api/v1/sessions", "/api/v1/search"),
        keys={"owner_identity": Private(OWNER_IDENTITY, optional=True)},
        resources=Resources(memory_mib=256, cpus=1.0),
        container=Container(after=("lucid-mongodb", "lucid-redis", "lucid-elasticsearch", "api-gateway")),
    ),
    Service(
        name="rdp-monitor",
        summary="figures of running sessions, synthetic connections to hosts",
        phase=3,
        port=8093,
        embedded_port=13093,
        entry="lucid.services.rdp_monitor.app:create",
        settings=RdpMonitorSettings,
        needs=(Gateway, Hosts, Desktops, XrdpHost, Prober, Documents, Bus),
        provides=(Monitor,),
        api=("/api/v1/monitor",),
        volumes=(),
        container=Container(after=("lucid-mongodb", "lucid-redis", "api-gateway", "lucid-auth-service")),
    ),
    Service(
        name="node-management",
        summary="nodes, their heartbeats, and the work credits that follow from the log",
        phase=3,
        port=8095,
        embedded_port=13095,
        entry="lucid.services.node_management.app:create",
        settings=NodeManagementSettings,
        needs=(Documents, Anchoring, LogStore, DataChain, Audit),
        provides=(Nodes,),
        keys={"node_key": Private(NODE_KEY)},
        api=("/api/v1/nodes", "/api/v1/credits"),
        volumes=(),
        container=Container(after=("lucid-mongodb", "lucid-redis", "api-gateway", "blockchain-engine")),
    ),
)
