# SPDX-License-Identifier: MIT
"""transformers' classes for bench/zoo.py, each small and in the ways that its
configuration allows."""
import torch

from zoo_transformers_case import (LAYERS, SIDE, behind, case, embedded,
                                   first, in_memory, logits, mean, new_names,
                                   of_patches, of_soft, pooled, processor, projected)

BASE = dict(hidden_size=128, num_hidden_layers=LAYERS, num_attention_heads=4,
            intermediate_size=160, image_size=SIDE, patch_size=8)
NO_MLP = {k: v for k, v in BASE.items() if k != "intermediate_size"}
TEXT = dict(hidden_size=48, num_hidden_layers=1, num_attention_heads=4,
            intermediate_size=64, vocab_size=99)
LLAMA = dict(model_type="llama", hidden_size=32, num_hidden_layers=1,
             num_attention_heads=2, num_key_value_heads=2,
             intermediate_size=48, vocab_size=120)
GEMMA = dict(hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
             num_key_value_heads=1, head_dim=16, intermediate_size=48,
             vocab_size=300)
NAMES = dict(enumerate(["ant", "bee", "cat", "dog", "eel"]))
LABELS = dict(id2label=NAMES, label2id={v: k for k, v in NAMES.items()})
IMAGENET = dict(image_mean=[.485, .456, .406], image_std=[.229, .224, .225])


def square(name, side=SIDE, **kw):
    return processor(name, size=dict(height=side, width=side), **kw)


def shortest(name, resized=SIDE, side=SIDE, **kw):
    return processor(name, size=dict(shortest_edge=resized),
                     crop_size=dict(height=side, width=side), **kw)


def gemma4_vision(**kw):
    return dict(hidden_size=128, num_hidden_layers=LAYERS,
                num_attention_heads=4, intermediate_size=160, patch_size=8,
                head_dim=32, pooling_kernel_size=2, position_embedding_size=48,
                **{"num_key_value_heads": 4, **kw})


def told(model):
    """With numbers in Gemma 4's buffers, of which those of products that see
    the same rows are the same."""
    random = torch.Generator().manual_seed(8)
    for m in model.modules():
        for name, b in m.named_buffers(recurse=False):
            if name in ("std_bias", "std_scale"):
                b.copy_(torch.rand(b.shape, generator=random))
            elif name.startswith(("input_", "output_")):
                b.fill_(-0.7 if name.endswith("_min") else 0.9)
    return model


def of_vit(T):
    def vit(**kw):
        return lambda: T.ViTForImageClassification(
            T.ViTConfig(**{**BASE, **LABELS, **kw}))
    own = square("ViT")
    case("vit", "ViTModel", lambda: T.ViTModel(T.ViTConfig(**BASE)), first(),
         own)
    case("vit", "ViTModel without pooler", lambda: T.ViTModel(
        T.ViTConfig(**BASE), add_pooling_layer=False), first(), own)
    case("vit", "ViTForImageClassification", vit(), logits, own)
    for act in ("gelu_new", "gelu_fast", "gelu_python", "gelu_pytorch_tanh",
                "quick_gelu", "relu", "silu", "gelu_accurate"):
        case("vit", f"ViTForImageClassification {act}", vit(hidden_act=act),
             logits, own)
    case("vit", "ViTForImageClassification no qkv bias", vit(qkv_bias=False),
         logits, own)
    case("vit", "ViTForImageClassification eps 1e-5",
         vit(layer_norm_eps=1e-5), logits, own)
    case("vit", "ViTForImageClassification 7 heads of 16", vit(
        hidden_size=112, num_attention_heads=7), logits, own)
    for name, kw in (("lanczos", dict(resample=1)),
                     ("nearest", dict(resample=0)),
                     ("bicubic", dict(resample=3)),
                     ("not normalised", dict(do_normalize=False)),
                     ("not rescaled", dict(do_rescale=False)),
                     ("not resized", dict(do_resize=False)),
                     ("rescaled by 1/127.5", dict(rescale_factor=1 / 127.5))):
        case("vit", f"ViTForImageClassification {name}", vit(), logits,
             square("ViT", **kw))
    case("vit", "ViTForImageClassification new names", vit(), logits, own,
         save=new_names)
    case("vit", "ViTForImageClassification torch.save", vit(), logits, own,
         save=in_memory)
    case("vit", "ViTForImageClassification at 48", vit(), lambda m, x: {
        "logits": m(x, interpolate_pos_encoding=True).logits},
        side=48, options=dict(image_size=48))
    case("vit", "ViTForMaskedImageModeling", lambda:
         T.ViTForMaskedImageModeling(T.ViTConfig(**BASE, encoder_stride=8)),
         first(lambda m: m.vit), own)
    deit = square("DeiT", 36, crop_size=dict(height=SIDE, width=SIDE))
    case("vit", "DeiTModel", lambda: T.DeiTModel(T.DeiTConfig(**BASE)),
         first(), deit)
    for name in ("DeiTForImageClassification",
                 "DeiTForImageClassificationWithTeacher"):
        case("vit", name, lambda name=name: getattr(T, name)(T.DeiTConfig(
            **BASE, **LABELS)), logits, deit)
    case("vit", "ViTMSNModel", lambda: T.ViTMSNModel(T.ViTMSNConfig(**BASE)),
         first(), own)
    case("vit", "ViTMSNForImageClassification", lambda:
         T.ViTMSNForImageClassification(T.ViTMSNConfig(**BASE, **LABELS)),
         logits, own)
    case("vit", "IJepaModel", lambda: T.IJepaModel(T.IJepaConfig(**BASE)),
         mean(), own)
    case("vit", "IJepaForImageClassification", lambda:
         T.IJepaForImageClassification(T.IJepaConfig(**BASE, **LABELS)),
         logits, own)
    mae = dict(**BASE, decoder_hidden_size=32, decoder_num_hidden_layers=1,
               decoder_num_attention_heads=2, decoder_intermediate_size=64,
               mask_ratio=0.0)
    order = torch.arange((SIDE / 8) ** 2)[None]
    for name in ("ViTMAEModel", "ViTMAEForPreTraining"):
        case("vit", name, lambda name=name: getattr(T, name)(
            T.ViTMAEConfig(**mae)), lambda m, x: {"features": (
                m.vit if hasattr(m, "vit") else m)(
                    x, noise=order).last_hidden_state[:, 0]}, own)
    case("vit", "FlavaImageModel", lambda: T.FlavaImageModel(
        T.FlavaImageConfig(**BASE)), first())


def of_dino(T):
    bit = shortest("Bit", 37, resample=3, **IMAGENET)
    two = T.Dinov2Config, "Dinov2"
    registers = T.Dinov2WithRegistersConfig, "Dinov2WithRegisters"
    for config, name in (two, registers):
        model, head = (getattr(T, name + kind) for kind in (
            "Model", "ForImageClassification"))
        case("dino", name + "Model", lambda model=model, config=config: model(
            config(**NO_MLP)), pooled(), bit)
        case("dino", name + "Model SwiGLU", lambda model=model, config=config:
             model(config(**NO_MLP, use_swiglu_ffn=True)), pooled(), bit)
        case("dino", name + "ForImageClassification", lambda head=head,
             config=config: head(config(**NO_MLP, **LABELS)), logits, bit)
        case("dino", name + "Model new names", lambda model=model,
             config=config: model(config(**NO_MLP)), pooled(), bit,
             save=new_names)
        for side in (24, 48):
            case("dino", f"{name}Model at {side}", lambda model=model,
                 config=config: model(config(**NO_MLP)), pooled(),
                 side=side, options=dict(image_size=side))
        case("dino", f"{name}ForImageClassification 72 cut to 32",
             lambda head=head, config=config: head(config(**{
                 **NO_MLP, **LABELS, "image_size": 72})), logits, bit)

    def backbone(m, x):
        m = getattr(m, "backbone", m)
        last = m.encoder(m.embeddings(x)).last_hidden_state
        return {"features": m.layernorm(last)[:, 0]}
    case("dino", "Dinov2Backbone", lambda: T.Dinov2Backbone(
        T.Dinov2Config(**NO_MLP)), backbone, bit)
    for gated in (False, True):
        case("dino", "DINOv3ViTModel" + gated * " gated", lambda gated=gated:
             T.DINOv3ViTModel(T.DINOv3ViTConfig(
                 **BASE, use_gated_mlp=gated, num_register_tokens=4,
                 hidden_act="silu" if gated else "gelu")), pooled(),
             square("ViT", **IMAGENET))
    case("dino", "DINOv3ViTModel torch.save", lambda: T.DINOv3ViTModel(
        T.DINOv3ViTConfig(**BASE)), pooled(), save=in_memory)
    for key in ("query_bias", "value_bias", "key_bias", "mlp_bias",
                "proj_bias"):
        case("dino", f"DINOv3ViTModel {key} turned", lambda key=key:
             T.DINOv3ViTModel(T.DINOv3ViTConfig(
                 **BASE, num_register_tokens=4, **{key: key == "key_bias"})),
             pooled())
    case("dino", "DINOv3ViTBackbone", lambda: T.DINOv3ViTBackbone(
        T.DINOv3ViTConfig(**BASE)), None)
    case("dino", "DepthAnythingForDepthEstimation", lambda:
         T.DepthAnythingForDepthEstimation(T.DepthAnythingConfig(
             backbone_config=T.Dinov2Config(
                 **NO_MLP, out_indices=[1, 2, 3], reshape_hidden_states=False),
             reassemble_hidden_size=128, patch_size=8,
             reassemble_factors=[4, 2, 1], neck_hidden_sizes=[8, 8, 8],
             fusion_hidden_size=8)), backbone)


def of_clip(T):
    own = shortest("CLIP")
    pair = dict(text_config=TEXT, projection_dim=24)

    def clip(**kw):
        return lambda: T.CLIPModel(T.CLIPConfig(
            vision_config=dict(BASE, **kw), **pair))
    case("clip", "CLIPModel", clip(), embedded, own,
         options=dict(projection=1))
    case("clip", "CLIPModel gelu", clip(hidden_act="gelu"), embedded, own,
         options=dict(projection=1))
    case("clip", "CLIPModel features", clip(), pooled(
        lambda m: m.vision_model), own)
    tower = T.CLIPVisionConfig(**BASE, projection_dim=24)
    case("clip", "CLIPVisionModel", lambda: T.CLIPVisionModel(tower),
         pooled(), own)
    case("clip", "CLIPVisionModel behind vision_model.", lambda:
         T.CLIPVisionModel(tower), pooled(), own,
         save=behind("vision_model."))
    case("clip", "CLIPVisionModelWithProjection", lambda:
         T.CLIPVisionModelWithProjection(tower), projected, own,
         options=dict(projection=1))
    case("clip", "CLIPForImageClassification", lambda:
         T.CLIPForImageClassification(T.CLIPConfig(
             vision_config=BASE, **pair, **LABELS)), logits, own)
    case("clip", "CLIPModel at 48", clip(), lambda m, x: {
        "features": m.vision_model(
            x, interpolate_pos_encoding=True).pooler_output},
        side=48, options=dict(image_size=48))
    meta = dict(vision_config=BASE, text_config=dict(TEXT, pad_token_id=1),
                projection_dim=24)
    case("clip", "MetaClip2Model", lambda: T.MetaClip2Model(
        T.MetaClip2Config(**meta)), embedded, own, options=dict(projection=1))
    case("clip", "MetaClip2VisionModel", lambda: T.MetaClip2VisionModel(
        T.MetaClip2VisionConfig(**BASE)), pooled(), own)
    case("clip", "MetaClip2ForImageClassification", lambda:
         T.MetaClip2ForImageClassification(T.MetaClip2Config(
             **meta, **LABELS)), logits, own)
    for name in ("AltCLIP", "ChineseCLIP"):
        case("clip", name + "VisionModel", lambda name=name: getattr(
            T, name + "VisionModel")(getattr(T, name + "VisionConfig")(
                **BASE)), pooled())
    case("clip", "ChineseCLIPModel", lambda: T.ChineseCLIPModel(
        T.ChineseCLIPConfig(vision_config=BASE, **pair)), embedded,
        square("ChineseCLIP", crop_size=dict(height=SIDE, width=SIDE)),
        options=dict(projection=1))
    at_once = dict(interpolate_pos_encoding=False)
    case("clip", "CLIPSegModel", lambda: T.CLIPSegModel(T.CLIPSegConfig(
        vision_config=BASE, **pair)), lambda m, x: {
            "features": m.vision_model(x, **at_once).pooler_output})
    case("clip", "CLIPSegForImageSegmentation", lambda:
         T.CLIPSegForImageSegmentation(T.CLIPSegConfig(
             vision_config=BASE, **pair, extract_layers=[0, 1, 2],
             reduce_dim=16)), lambda m, x: {
                 "features": m.clip.vision_model(x, **at_once).pooler_output})
    for name in ("OwlViT", "Owlv2"):
        config = getattr(T, name + "Config")
        case("clip", name + "Model", lambda name=name, config=config: getattr(
            T, name + "Model")(config(vision_config=BASE, **pair)),
            pooled(lambda m: m.vision_model))
        case("clip", name + "ForObjectDetection", lambda name=name,
             config=config: getattr(T, name + "ForObjectDetection")(config(
                 vision_config=BASE, **pair)), None)
    case("clip", "XCLIPModel", lambda: T.XCLIPModel(T.XCLIPConfig(
        vision_config=dict(BASE, mit_hidden_size=32, mit_intermediate_size=64,
                           mit_num_attention_heads=2, num_frames=2), **pair)),
        None)
    case("clip", "GitVisionModel", lambda: T.GitVisionModel(
        T.GitVisionConfig(**BASE)), first())
    case("clip", "Kosmos2Model", lambda: T.Kosmos2Model(T.Kosmos2Config(
        vision_config=BASE, text_config=dict(
            vocab_size=99, embed_dim=32, layers=1, ffn_dim=48,
            attention_heads=2), latent_query_num=2)),
        pooled(lambda m: m.vision_model))
    case("clip", "MLCDVisionModel", lambda: T.MLCDVisionModel(
        T.MLCDVisionConfig(**BASE)), pooled())
    case("clip", "GroupViTVisionModel", lambda: T.GroupViTVisionModel(
        T.GroupViTVisionConfig(
            hidden_size=64, depths=[1, 1, 1], num_group_tokens=[4, 2, 0],
            num_output_groups=[4, 2, 1], num_attention_heads=4,
            intermediate_size=128, image_size=SIDE, patch_size=8)), None)


def of_siglip(T):
    own = square("Siglip")
    text = dict(TEXT, hidden_size=128)

    def siglip(**kw):
        return T.SiglipConfig(vision_config=BASE, text_config=text, **kw)
    case("siglip", "SiglipModel", lambda: T.SiglipModel(siglip()), embedded,
         own, options=dict(projection=1))
    case("siglip", "SiglipVisionModel", lambda: T.SiglipVisionModel(
        T.SiglipVisionConfig(**BASE)), pooled(), own)
    case("siglip", "SiglipVisionModel behind vision_model.", lambda:
         T.SiglipVisionModel(T.SiglipVisionConfig(**BASE)), pooled(), own,
         save=behind("vision_model."))
    case("siglip", "SiglipVisionModel without head", lambda:
         T.SiglipVisionModel(T.SiglipVisionConfig(
             **BASE, vision_use_head=False)), mean(), own)
    case("siglip", "SiglipForImageClassification", lambda:
         T.SiglipForImageClassification(siglip(**LABELS)), logits, own)
    flex = dict(hidden_size=64, num_hidden_layers=LAYERS, patch_size=8,
                num_attention_heads=4, intermediate_size=160, num_patches=16)
    side = dict(image_size=SIDE)
    case("siglip", "Siglip2VisionModel", lambda: T.Siglip2VisionModel(
        T.Siglip2VisionConfig(**flex)), of_patches(pooled()), options=side)
    case("siglip", "Siglip2Model", lambda: T.Siglip2Model(T.Siglip2Config(
        vision_config=flex, text_config=dict(text, hidden_size=64))),
        of_patches(pooled(lambda m: m.vision_model)), options=side)
    case("siglip", "Siglip2ForImageClassification", lambda:
         T.Siglip2ForImageClassification(T.Siglip2Config(
             vision_config=flex, text_config=dict(text, hidden_size=64),
             **LABELS)), of_patches(logits), options=side)


def of_beit(T):
    positions = {
        "relative": dict(use_relative_position_bias=True),
        "shared": dict(use_shared_relative_position_bias=True),
        "absolute": dict(use_absolute_position_embeddings=True),
        "relative, no scale": dict(use_relative_position_bias=True,
                                   layer_scale_init_value=0.0),
        "relative, class token": dict(use_relative_position_bias=True,
                                      use_mean_pooling=False),
        "none": {}}
    for name in ("Beit", "Data2VecVision"):
        config = getattr(T, name + "Config")
        for what, kw in positions.items():
            case("beit", f"{name}ForImageClassification {what}",
                 lambda name=name, config=config, kw=kw: getattr(
                     T, name + "ForImageClassification")(config(
                         **BASE, **kw, **LABELS)), logits,
                 square("Beit", do_center_crop=False))
        case("beit", f"{name}Model", lambda name=name, config=config: getattr(
            T, name + "Model")(config(**BASE, **positions["relative"])),
            first() if name == "Data2VecVision" else pooled())
        case("beit", f"{name} new names", lambda name=name, config=config:
             getattr(T, name + "ForImageClassification")(config(
                 **BASE, **positions["relative"], **LABELS)), logits,
             save=new_names)
    case("beit", "BeitForMaskedImageModeling", lambda:
         T.BeitForMaskedImageModeling(T.BeitConfig(
             **BASE, **positions["shared"], vocab_size=30)),
         first(lambda m: m.beit))


def of_towers(T):
    """Models of several parts, of which one is such a transformer."""
    clip = dict(model_type="clip_vision_model", **BASE, projection_dim=24)
    siglip = dict(model_type="siglip_vision_model", **BASE)
    bare = dict(siglip, vision_use_head=False)

    def tower(m):
        return m.model.vision_tower
    for name, vision in (("CLIP", clip), ("SigLIP", siglip)):
        case("towers", f"LlavaForConditionalGeneration {name}",
             lambda vision=vision: T.LlavaForConditionalGeneration(
                 T.LlavaConfig(vision_config=vision, text_config=LLAMA,
                               image_token_index=100)), pooled(tower))
    case("towers", "PaliGemmaForConditionalGeneration", lambda:
         T.PaliGemmaForConditionalGeneration(T.PaliGemmaConfig(
             vision_config=bare, projection_dim=32, hidden_size=32,
             text_config=dict(GEMMA, model_type="gemma"),
             image_token_id=100)), mean(tower))
    case("towers", "Gemma3ForConditionalGeneration", lambda:
         T.Gemma3ForConditionalGeneration(T.Gemma3Config(
             vision_config=bare, text_config=dict(GEMMA, vocab_size=262208),
             mm_tokens_per_image=4)), mean(tower))
    grid = dict(options=dict(image_size=SIDE))
    for what, kw in (("", {}), (" of grouped heads",
                                dict(num_key_value_heads=2)),
                     (" cut off", dict(use_clipped_linears=True)),
                     (" standardized", dict(standardize=True)),
                     (" of theta 30", dict(rope_parameters=dict(
                         rope_type="axial", rope_theta=30.0)))):
        case("towers", "Gemma4VisionModel" + what, lambda kw=kw:
             told(T.Gemma4VisionModel(T.Gemma4VisionConfig(
                 **gemma4_vision(**kw)))), of_soft(), **grid)
    case("towers", "Gemma4VisionModel of another gate", lambda:
         T.Gemma4VisionModel(T.Gemma4VisionConfig(**gemma4_vision(
             hidden_activation="silu"))), None, **grid)
    case("towers", "Gemma4ForConditionalGeneration", lambda:
         told(T.Gemma4ForConditionalGeneration(T.Gemma4Config(
             vision_config=T.Gemma4VisionConfig(**gemma4_vision(
                 standardize=True)), audio_config=None,
             text_config=T.Gemma4TextConfig(
                 **GEMMA, hidden_size_per_layer_input=0)))),
         of_soft(tower), **grid)
    case("towers", "Idefics3VisionTransformer", lambda: T.AutoModel.from_config(
        T.AutoConfig.for_model("idefics3_vision", **BASE)), mean())
    qformer = dict(hidden_size=48, num_hidden_layers=1, num_attention_heads=4,
                   intermediate_size=64, vocab_size=99,
                   encoder_hidden_size=128)
    case("towers", "BlipModel", lambda: T.BlipModel(T.BlipConfig(
        vision_config=BASE, text_config=dict(TEXT), projection_dim=24)),
        pooled(lambda m: m.vision_model))
    case("towers", "BlipVisionModel", lambda: T.BlipVisionModel(
        T.BlipVisionConfig(**BASE)), pooled())
    case("towers", "Blip2VisionModel", lambda: T.Blip2VisionModel(
        T.Blip2VisionConfig(**BASE)), pooled())
    case("towers", "Blip2Model", lambda: T.Blip2Model(T.Blip2Config(
        vision_config=BASE, qformer_config=qformer, text_config=dict(
            model_type="opt", hidden_size=32, num_hidden_layers=1,
            num_attention_heads=2, ffn_dim=48, vocab_size=120,
            word_embed_proj_dim=32))), pooled(lambda m: m.vision_model))
    case("towers", "VisionTextDualEncoderModel", lambda:
         T.VisionTextDualEncoderModel(
             T.VisionTextDualEncoderConfig.from_vision_text_configs(
                 T.ViTConfig(**BASE), T.BertConfig(**TEXT),
                 projection_dim=24)), first(lambda m: m.vision_model))
    decoder = dict(TEXT, is_decoder=True, add_cross_attention=True)
    for name, encoder in (("ViT", T.ViTConfig), ("DeiT", T.DeiTConfig)):
        case("towers", f"VisionEncoderDecoderModel {name}", lambda
             encoder=encoder: T.VisionEncoderDecoderModel(
                 T.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
                     encoder(**BASE), T.BertConfig(**decoder))),
             first(lambda m: m.encoder))
    case("towers", "DPTForDepthEstimation", lambda: T.DPTForDepthEstimation(
        T.DPTConfig(**BASE, backbone_out_indices=[0, 1, 2, 2],
                    neck_hidden_sizes=[8] * 4, fusion_hidden_size=8,
                    is_hybrid=False)), first(lambda m: m.dpt))
    case("towers", "EomtForUniversalSegmentation", lambda:
         T.EomtForUniversalSegmentation(T.EomtConfig(
             **NO_MLP, num_blocks=1, num_queries=3)), None)


def of_others(T):
    """Of another kind, or not yet of one that runs."""
    for count in (9, 20):
        for name in ("YolosModel", "YolosForObjectDetection"):
            case("others", f"{name} {count}", lambda name=name, count=count:
                 getattr(T, name)(T.YolosConfig(**{
                     **BASE, "image_size": [SIDE, SIDE]},
                     num_detection_tokens=count)), None)
    case("others", "ViltModel", lambda: T.ViltModel(T.ViltConfig(
        **BASE, vocab_size=99, max_position_embeddings=12)), None)
    case("others", "VitPoseForPoseEstimation", lambda:
         T.VitPoseForPoseEstimation(T.VitPoseConfig(
             backbone_config=T.VitPoseBackboneConfig(**{
                 **NO_MLP, "image_size": [SIDE, 24], "patch_size": [8, 8]}))),
         None)
    case("others", "VitDetModel", lambda: T.VitDetModel(T.VitDetConfig(
        **NO_MLP, pretrain_image_size=SIDE)), None)
    case("others", "SamVisionModel", lambda: T.SamVisionModel(
        T.SamVisionConfig(**NO_MLP, mlp_dim=128, output_channels=16,
                          window_size=2, global_attn_indexes=[1])), None)
    case("others", "ASTForAudioClassification", lambda:
         T.ASTForAudioClassification(T.ASTConfig(
             hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
             intermediate_size=128, max_length=64, num_mel_bins=32)), None)
    case("others", "VideoMAEModel", lambda: T.VideoMAEModel(T.VideoMAEConfig(
        **BASE, num_frames=4)), None)
    case("others", "VivitModel", lambda: T.VivitModel(T.VivitConfig(
        **BASE, num_frames=4, tubelet_size=[2, 8, 8])), None)
    case("others", "TimesformerModel", lambda: T.TimesformerModel(
        T.TimesformerConfig(**BASE, num_frames=2)), None)
    for name in ("Aimv2Vision", "Pixio", "Tipsv2Vision", "Radio", "Sapiens2",
                 "InternVLVision", "PixtralVision"):
        case("others", name + "Model", lambda name=name: getattr(
            T, name + "Model")(getattr(T, name + "Config")(**BASE)),
            {"InternVLVision": first(), "Sapiens2": pooled(),
             "Pixio": first(), "Tipsv2Vision": first()}.get(name))
    case("others", "Sapiens2Model of fewer heads in the middle", lambda:
         T.Sapiens2Model(T.Sapiens2Config(
             **BASE, num_key_value_heads_per_layer=[4, 2, 4])), pooled())
    case("others", "Sapiens2Backbone", lambda: T.Sapiens2Backbone(
        T.Sapiens2Config(**BASE)), None)
    case("others", "Aimv2VisionModel without head", lambda:
         T.Aimv2VisionModel(T.Aimv2VisionConfig(**BASE, use_head=False)),
         mean())
    case("others", "Aimv2Model", lambda: T.Aimv2Model(T.Aimv2Config(
        vision_config=BASE, text_config=dict(TEXT), projection_dim=24)),
        embedded, options=dict(projection=1))
    case("others", "SegGptModel", lambda: T.SegGptModel(T.SegGptConfig(**{
        **NO_MLP, "image_size": [2 * SIDE, SIDE]}, pretrain_image_size=SIDE,
        mlp_dim=128)), None)
    case("others", "BridgeTowerModel", lambda: T.BridgeTowerModel(
        T.BridgeTowerConfig(
            hidden_size=48, num_hidden_layers=1, num_attention_heads=4,
            intermediate_size=64, vision_config=dict(
                hidden_size=64, num_hidden_layers=3, patch_size=8,
                image_size=SIDE), text_config=dict(
                    TEXT, num_hidden_layers=3))), None)
    case("others", "VJEPA2Model", lambda: T.VJEPA2Model(T.VJEPA2Config(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4,
        crop_size=SIDE, patch_size=8, frames_per_clip=2, pred_hidden_size=32,
        pred_num_attention_heads=2, pred_num_hidden_layers=1)), None)
