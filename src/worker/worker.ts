// The worker's entry: everything that touches the GPU lives behind this door.
import { expose } from "comlink";
import { detectGpu } from "../gpu/device.ts";
import { taskLoaders } from "../pipelines/pipeline.ts";
import { PipelineService } from "./service.ts";
import { installTransferHandlers } from "./transfer.ts";

installTransferHandlers();
expose(new PipelineService(taskLoaders, detectGpu, async (...model) => (await import("./look.ts")).lookAt(...model)));
