"""Tiny random Stable Diffusion folders as diffusers writes them, and the pictures diffusers makes with them.

    python tests/reference/text_to_image.py

Writes golden/text-to-image/<name>/ (the model's folder) and golden/text-to-image/<name>.safetensors (pictures [N, H, W, 3] in 0…1,
one per call; the calls are JSON in the metadata). Needs torch, diffusers, transformers.
"""
import json
import shutil
from pathlib import Path

import torch
from diffusers import (AutoencoderKL, AutoencoderTiny, DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       LatentConsistencyModelPipeline, LCMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

GOLDEN = Path(__file__).parent / "golden" / "text-to-image"
SCHEDULERS = {"ddim": DDIMScheduler, "pndm": PNDMScheduler, "euler": EulerDiscreteScheduler, "euler-ancestral": EulerAncestralDiscreteScheduler,
              "dpmpp-2m": DPMSolverMultistepScheduler, "dpmpp-2m-karras": DPMSolverMultistepScheduler, "lcm": LCMScheduler}
SD_BETAS = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", num_train_timesteps=1000)


def byte_letters() -> list[str]:
    """The character that byte-level BPE writes for each byte: itself where it can be seen, else one from U+0100 on."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    return [chr(b) for b in visible] + [chr(0x100 + i) for i in range(256 - len(visible))]


def tokenizer_files(folder: Path, pad: str) -> CLIPTokenizer:
    """CLIP's byte-level BPE with a vocabulary of bytes and a handful of merges."""
    folder.mkdir(parents=True)
    letters = byte_letters()
    merges = [("r", "e"), ("re", "d</w>"), ("a", "p"), ("p", "l"), ("pl", "e</w>"), ("ap", "ple</w>"), ("c", "a"), ("ca", "t</w>")]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(m) for m in merges] + ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(" ".join(m) for m in merges) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": pad}))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": 16, "bos_token": "<|startoftext|>",
                                                              "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>", "pad_token": pad}))
    return CLIPTokenizer.from_pretrained(folder)


def model(name, seed, *, scheduler, pad="<|endoftext|>", text={}, unet={}, vae=None, pipeline=StableDiffusionPipeline):
    """Saves a random model's folder in f16 and returns the pipeline that loads it in f32 (a loaded scheduler config states every key, which counts when another scheduler takes it over)."""
    torch.manual_seed(seed)
    folder = GOLDEN / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = tokenizer_files(folder / "tokenizer", pad)
    encoder = CLIPTextModel(CLIPTextConfig(**{**dict(vocab_size=len(tokenizer), hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3,
                                                     max_position_embeddings=16, hidden_act="quick_gelu", bos_token_id=len(tokenizer) - 2, eos_token_id=2), **text}))
    denoiser = UNet2DConditionModel(**{**dict(sample_size=8, in_channels=4, out_channels=4, block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
                                              down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
                                              cross_attention_dim=24, attention_head_dim=2), **unet})
    decoder = vae or AutoencoderKL(block_out_channels=(8, 16), down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
                                   latent_channels=4, norm_num_groups=4, layers_per_block=1, sample_size=16)
    with torch.no_grad():
        for network in (encoder, denoiser, decoder):  # larger than the usual initialisation, so that every layer shows in the picture
            for p in network.parameters():
                p.mul_(1.5)
    extra = {} if pipeline is StableDiffusionPipeline else {"requires_safety_checker": False}
    pipe = pipeline(vae=decoder, text_encoder=encoder, tokenizer=tokenizer, unet=denoiser, scheduler=scheduler, safety_checker=None, feature_extractor=None, **extra)
    pipe.to(torch.float16).save_pretrained(folder)
    return pipeline.from_pretrained(folder, torch_dtype=torch.float32, safety_checker=None)


def age(name):
    """A saved folder as the first published ones are: fp16 files alone (the UNet's in shards), older names, other parts beside; returns the pipeline that loads it."""
    folder = GOLDEN / name
    pipe = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float16, safety_checker=None)
    for part in ("text_encoder", "unet", "vae"):
        shutil.rmtree(folder / part)
    pipe.save_pretrained(folder, variant="fp16", max_shard_size="100KB")
    rename(folder / "text_encoder/model.fp16.safetensors", [("", "text_model.")], {"text_model.embeddings.position_ids": torch.arange(16)[None]})
    rename(folder / "vae/diffusion_pytorch_model.fp16.safetensors", [(".to_q.", ".query."), (".to_k.", ".key."), (".to_v.", ".value."), (".to_out.0.", ".proj_attn.")])
    edit(folder / "unet/config.json", {"_diffusers_version": "0.6.0", "sample_size": 32})
    edit(folder / "scheduler/scheduler_config.json", {"steps_offset": None, "set_alpha_to_one": None, "timestep_spacing": None, "clip_sample": True})
    (folder / "tokenizer/tokenizer.json").unlink()
    (folder / "safety_checker").mkdir()
    (folder / "safety_checker/config.json").write_text("{}\n")
    return StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32, variant="fp16", safety_checker=None)


def rename(file, pairs, more={}):
    """Other names for a file's tensors; "" stands for a name's beginning."""
    tensors = load_file(file)
    for old, new in pairs:
        tensors = {new + key.removeprefix(new) if old == "" else key.replace(old, new): value for key, value in tensors.items()}
    save_file({**tensors, **more}, file, metadata={"format": "pt"})


def edit(file, changes):
    """Changes keys of a config; None takes one out."""
    config = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in config.items() if value is not None or key not in changes}, indent=2) + "\n")


def pictures(name, pipe, calls):
    out = {}
    own = pipe.scheduler
    pipe.set_progress_bar_config(disable=True)
    for i, call in enumerate(calls):
        scheduler = call.get("scheduler")
        karras = {"use_karras_sigmas": True} if scheduler == "dpmpp-2m-karras" else {}
        pipe.scheduler = SCHEDULERS[scheduler].from_config(own.config, **karras) if scheduler else own
        sizes = {key: call[key] for key in ("width", "height") if key in call}
        negative = {"negative_prompt": call["negativePrompt"]} if "negativePrompt" in call else {}
        images = pipe(call["prompt"], num_inference_steps=call["numInferenceSteps"], guidance_scale=call["guidanceScale"], num_images_per_prompt=call.get("numImagesPerPrompt", 1),
                      generator=torch.Generator().manual_seed(call["seed"]), output_type="np", **negative, **sizes).images
        out[str(i)] = torch.from_numpy(images).contiguous()
        print(f"{name} {i}: {tuple(images.shape)} mean {images.mean():.3f} std {images.std():.3f} {call}")
    save_file(out, GOLDEN / f"{name}.safetensors", metadata={"calls": json.dumps(calls)})


def main():
    call = dict(prompt="a red apple, cat", seed=42, numInferenceSteps=4, guidanceScale=7.5)
    every = [dict(call, scheduler=name, numInferenceSteps=5, negativePrompt="plain") for name in ("ddim", "euler", "euler-ancestral", "dpmpp-2m", "dpmpp-2m-karras", "lcm")]
    pictures("sd1", model("sd1", 1, scheduler=PNDMScheduler(skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False, **SD_BETAS)),
             [call, dict(call, numImagesPerPrompt=2, width=24, height=8, seed=7), dict(call, guidanceScale=1.0), *every])
    sd2 = dict(unet=dict(attention_head_dim=(2, 4), use_linear_projection=True), text=dict(hidden_act="gelu"), pad="!")
    pictures("sd2", model("sd2", 2, scheduler=DDIMScheduler(prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1, **SD_BETAS), **sd2),
             [call, dict(call, negativePrompt="dog", seed=2**32 - 1), dict(call, scheduler="euler"), dict(call, scheduler="dpmpp-2m")])
    pictures("turbo", model("turbo", 3, scheduler=EulerDiscreteScheduler(timestep_spacing="trailing", **SD_BETAS), **sd2), [dict(call, numInferenceSteps=1, guidanceScale=0.0), dict(call, numInferenceSteps=3, guidanceScale=0.0)])
    pictures("lcm", model("lcm", 4, scheduler=LCMScheduler(**SD_BETAS), unet=dict(time_cond_proj_dim=12), pipeline=LatentConsistencyModelPipeline), [dict(call, guidanceScale=8.0), dict(call, guidanceScale=8.0, numImagesPerPrompt=2, seed=0)])
    tiny = AutoencoderTiny(encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 2), num_decoder_blocks=(2, 1), latent_channels=4)
    zero_snr = DDIMScheduler(prediction_type="v_prediction", clip_sample=False, rescale_betas_zero_snr=True, timestep_spacing="trailing", **SD_BETAS)
    words = dict(attention_head_dim=(2, 4), use_linear_projection=True, addition_embed_type="text", addition_embed_type_num_heads=3, resnet_time_scale_shift="scale_shift")
    pictures("words", model("words", 5, scheduler=zero_snr, unet=words, vae=tiny), [dict(call, guidanceScale=3.0), dict(call, guidanceScale=2.0, numInferenceSteps=8, numImagesPerPrompt=3)])
    model("legacy", 6, scheduler=PNDMScheduler(skip_prk_steps=True, **SD_BETAS))
    small = dict(call, width=16, height=24)
    pictures("legacy", age("legacy"), [small, dict(small, scheduler="ddim"), dict(small, scheduler="lcm")])


main()
