"""Step by step through diffusers' schedulers, with a made-up network: model output = 0.25 · scaled input + table[step].

    python tests/reference/schedulers.py

Writes golden/schedulers/published.json (the published configs, every scheduler switched to by name), matrix.json (each class ×
prediction type × spacing × zero terminal SNR × Karras) and grids.json (timesteps for 1 … 200 steps and Π(1 − β)). Latents are
[2, 1, 3, 4], float32 in base64. Made with diffusers 0.42 and PyTorch 2.13.
"""
import base64
import hashlib
import json
import warnings
from pathlib import Path

import diffusers
import torch
from diffusers import StableDiffusionPipeline

diffusers.utils.logging.set_verbosity_error()
warnings.filterwarnings("ignore")
GOLDEN = Path(__file__).parent / "golden" / "schedulers"
SHAPE = (2, 1, 3, 4)
NAMES = {"ddim": "DDIMScheduler", "pndm": "PNDMScheduler", "euler": "EulerDiscreteScheduler", "euler-ancestral": "EulerAncestralDiscreteScheduler",
         "dpmpp-2m": "DPMSolverMultistepScheduler", "dpmpp-2m-karras": "DPMSolverMultistepScheduler", "lcm": "LCMScheduler"}
SD_BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)
PUBLISHED = {
    "sd-1.5": dict(_class_name="PNDMScheduler", _diffusers_version="0.6.0", **SD_BETAS, set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1,
                   trained_betas=None, clip_sample=False),
    "sd-2.1": dict(_class_name="DDIMScheduler", _diffusers_version="0.8.0", **SD_BETAS, clip_sample=False, prediction_type="v_prediction",
                   set_alpha_to_one=False, skip_prk_steps=True, steps_offset=1, trained_betas=None),
    "sd-turbo": dict(_class_name="EulerDiscreteScheduler", _diffusers_version="0.24.0.dev0", **SD_BETAS, clip_sample=False, interpolation_type="linear",
                     prediction_type="epsilon", sample_max_value=1.0, set_alpha_to_one=False, sigma_max=None, sigma_min=None, skip_prk_steps=True,
                     steps_offset=1, timestep_spacing="trailing", timestep_type="discrete", trained_betas=None, use_karras_sigmas=False),
    "lcm-dreamshaper": dict(_class_name="LCMScheduler", _diffusers_version="0.22.0.dev0", **SD_BETAS, clip_sample=False, clip_sample_range=1.0,
                            dynamic_thresholding_ratio=0.995, original_inference_steps=50, prediction_type="epsilon", rescale_betas_zero_snr=False,
                            sample_max_value=1.0, set_alpha_to_one=True, steps_offset=1, thresholding=False, timestep_spacing="leading", trained_betas=None),
    "emoji": dict(_class_name="DDIMScheduler", **SD_BETAS, prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing",
                  clip_sample=False, set_alpha_to_one=True, steps_offset=1),
    "emoji-dpm": dict(_class_name="DPMSolverMultistepScheduler", **SD_BETAS, prediction_type="v_prediction", rescale_betas_zero_snr=True,
                      timestep_spacing="trailing", lambda_min_clipped=-float("inf")),
}


def base64_of(x: torch.Tensor) -> str:
    return base64.b64encode(x.to(torch.float32).contiguous().numpy().tobytes()).decode()


def create(config: dict, name: str | None, pipeline: bool):
    """The scheduler as a pipeline holds it; switched by name as in `pipe.scheduler = X.from_config(pipe.scheduler.config)`."""
    own = getattr(diffusers, config["_class_name"]).from_config(config)
    if pipeline:
        own = StableDiffusionPipeline(vae=None, text_encoder=None, tokenizer=None, unet=None, scheduler=own, safety_checker=None,
                                      feature_extractor=None, requires_safety_checker=False).scheduler
    if name is None:
        return own
    more = {"use_karras_sigmas": True} if name == "dpmpp-2m-karras" else {}
    return getattr(diffusers, NAMES[name]).from_config(own.config, **more)


def run(config: dict, steps: int, table: torch.Tensor, name=None, pipeline=False, strength=1.0, eta=0.0) -> dict:
    s = create(config, name, pipeline)
    generator = torch.Generator().manual_seed(7)
    noise = torch.randn(SHAPE, generator=generator)
    is_lcm = type(s).__name__ == "LCMScheduler"
    s.set_timesteps(steps, **({"strength": strength} if is_lcm else {}))
    start = 0 if is_lcm else steps - min(int(steps * strength), steps)
    timesteps = s.timesteps[start:]
    if hasattr(s, "set_begin_index"):
        s.set_begin_index(start)  # without it diffusers takes the second of two equal first timesteps, and ends with an IndexError
    if strength < 1:
        x = s.add_noise(table[-1], noise, timesteps[:1].repeat(SHAPE[0]))
    else:
        x = noise * s.init_noise_sigma
    samples, denoised = [], []
    for i, t in enumerate(timesteps):
        model = 0.25 * s.scale_model_input(x, t) + table[i]
        arguments = {"eta": eta} if eta else {}
        if type(s).__name__ in ("DDIMScheduler", "EulerAncestralDiscreteScheduler", "LCMScheduler"):
            arguments["generator"] = generator
        out = s.step(model, t, x, **arguments)
        x = out.prev_sample
        assert torch.isfinite(x).all(), (config, steps, name)
        samples.append(x)
        if getattr(out, "pred_original_sample", None) is not None:
            denoised.append(out.pred_original_sample)
    return {"config": config, "name": name, "pipeline": pipeline, "steps": steps, "strength": strength, "eta": eta,
            "timesteps": [float(t) for t in timesteps], "initNoiseSigma": float(s.init_noise_sigma),
            "samples": base64_of(torch.stack(samples)), "denoised": base64_of(torch.stack(denoised)) if denoised else None}


def matrix() -> list[tuple[dict, dict]]:
    """Configs and what else to run them with."""
    spacings, predictions = ("leading", "linspace", "trailing"), ("epsilon", "v_prediction", "sample")
    cases = []
    for spacing in spacings:
        for prediction in predictions:
            for zero in (False, True):
                common = dict(SD_BETAS, timestep_spacing=spacing, prediction_type=prediction, rescale_betas_zero_snr=zero, steps_offset=1)
                pure_noise = zero and spacing != "leading" and prediction == "epsilon"  # divides by zero in diffusers, an error in ours
                if not pure_noise:
                    cases.append((dict(common, _class_name="DDIMScheduler", clip_sample=False), {}))
                for karras in (False, True):
                    cases.append((dict(common, _class_name="EulerDiscreteScheduler", use_karras_sigmas=karras), {}))
                    cases.append((dict(common, _class_name="DPMSolverMultistepScheduler", use_karras_sigmas=karras), {}))
                if prediction != "sample":
                    cases.append((dict(common, _class_name="EulerAncestralDiscreteScheduler"), {}))
                    if not zero:
                        for skip in (False, True):
                            cases.append((dict(SD_BETAS, _class_name="PNDMScheduler", timestep_spacing=spacing, prediction_type=prediction, skip_prk_steps=skip), {}))
    for prediction in predictions:
        cases.append((dict(_class_name="LCMScheduler", prediction_type=prediction), {}))
        cases.append((dict(_class_name="LCMScheduler", prediction_type=prediction, clip_sample=True, timestep_scaling=0.5, original_inference_steps=20), {}))
        cases.append((dict(_class_name="DDIMScheduler", prediction_type=prediction), {}))  # constructor defaults: linear betas, clipped
        cases.append((dict(_class_name="DDIMScheduler", prediction_type=prediction, clip_sample_range=0.4, set_alpha_to_one=False), {"eta": 0.6}))
        cases.append((dict(_class_name="DDIMScheduler", prediction_type=prediction, clip_sample=False, beta_schedule="squaredcos_cap_v2"), {"eta": 1.0}))
    for more in (dict(solver_type="heun"), dict(solver_order=1), dict(solver_type="bh2"), dict(euler_at_final=True, final_sigmas_type="sigma_min"),
                 dict(final_sigmas_type="sigma_min", lower_order_final=False), dict(lower_order_final=False), dict(beta_schedule="squaredcos_cap_v2", lambda_min_clipped=-5.1),
                 dict(beta_schedule="squaredcos_cap_v2", use_karras_sigmas=True), dict(sigma_min=0.05, sigma_max=10.0, use_karras_sigmas=True)):
        cases.append((dict(SD_BETAS, **{"_class_name": "DPMSolverMultistepScheduler", **more}), {}))
    for more in (dict(), dict(final_sigmas_type="sigma_min"), dict(sigma_min=0.05, sigma_max=10.0, use_karras_sigmas=True), dict(prediction_type="original_sample"),
                 dict(num_train_timesteps=6, trained_betas=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6])):
        cases.append((dict(_class_name="EulerDiscreteScheduler", **more), {}))
    for name in ("DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "LCMScheduler"):
        more = {"skip_prk_steps": True} if name == "PNDMScheduler" else {}
        cases.append((dict(SD_BETAS, _class_name=name, steps_offset=1, clip_sample=False, **more), {"strength": 0.6}))
    # Configs from before steps_offset and clip_sample were right, as StableDiffusionPipeline corrects them.
    for stated in (dict(), dict(steps_offset=0, clip_sample=True)):
        for own, switched in (("DDIMScheduler", None), ("PNDMScheduler", None), ("PNDMScheduler", "ddim"), ("DDIMScheduler", "pndm"), ("DDIMScheduler", "euler"), ("PNDMScheduler", "dpmpp-2m")):
            cases.append((dict(SD_BETAS, _class_name=own, timestep_spacing="leading", skip_prk_steps=True, **stated), {"pipeline": True, "name": switched}))
    return cases


def steps_of(config: dict) -> tuple[int, ...]:
    if config["_class_name"] == "PNDMScheduler" and not config.get("skip_prk_steps"):
        return (4, 5, 9)
    return (1, 4, 6) if config.get("num_train_timesteps") == 6 else (1, 4, 10)


def grids() -> dict:
    """One hash of all timestep lists for 1 … 200 steps, and of Π(1 − β), for each kind."""
    timesteps = []
    for name in ("DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"):
        for spacing in ("leading", "linspace", "trailing"):
            config = dict(SD_BETAS, _class_name=name, timestep_spacing=spacing, steps_offset=1, **({"skip_prk_steps": True} if name == "PNDMScheduler" else {}))
            s = create(config, None, False)
            digest = hashlib.sha256()
            for steps in range(1, 201):
                s.set_timesteps(steps)
                digest.update(s.timesteps.to(torch.float32).numpy().tobytes())
            timesteps.append({"config": config, "sha256": digest.hexdigest()})
    alphas = []
    for more in (dict(), SD_BETAS, dict(beta_schedule="squaredcos_cap_v2"), dict(num_train_timesteps=37)):
        for zero in (False, True):
            config = dict(more, _class_name="DDIMScheduler", rescale_betas_zero_snr=zero)
            bars = create(config, None, False).alphas_cumprod
            alphas.append({"config": config, "sha256": hashlib.sha256(bars.numpy().tobytes()).hexdigest(), "last": base64_of(bars[-32:])})
    return {"timesteps": timesteps, "alphas": alphas}


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    table = torch.randn(64, *SHAPE, generator=torch.Generator().manual_seed(11))
    published = [run(config, steps, table) for config in PUBLISHED.values() for steps in [*range(1, 11), 50]]
    published += [run(config, 8, table, name, pipeline=True) for config in PUBLISHED.values() for name in NAMES]
    cases = [run(config, steps, table, **more) for config, more in matrix() for steps in steps_of(config) if not (more.get("strength") and steps == 1)]
    for name, runs in (("published", published), ("matrix", cases)):
        (GOLDEN / f"{name}.json").write_text("[\n" + ",\n".join(json.dumps(run) for run in runs) + "\n]\n")
    (GOLDEN / "grids.json").write_text(json.dumps(grids(), indent=1) + "\n")


main()
