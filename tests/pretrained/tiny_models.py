"""Models of the published architectures, with few dimensions and random weights, as folders that the libraries read."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer import modules
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    BertModel,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    ModernBertConfig,
    ModernBertForTokenClassification,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaForSequenceClassification,
    T5Config,
    T5ForTokenClassification,
)

from otel_agent_eval.models.pretrained.model import PretrainedModel
from otel_agent_eval.models.runtime import FloatArray, TokenBatch
from otel_agent_eval.models.tokens import Window

CORPUS = [
    "The Eiffel Tower is 330 metres tall, and the square of Paris around it is wide.",
    "Premise: Hypothesis: Determine if the hypothesis is true given the premise? passage 1: passage 2:",
    "Briefly answer the following question: how tall is the tower, and who are you, you stupid idiot?",
    "Bear in mind that your response should be strictly based on the following passages. output:",
    "Der Turm ist sehr hoch. La tour est très haute! Башня очень высокая. 塔は高いです。",
]
_BERT = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


def wordpiece(folder: Path, length: int = 64) -> int:
    """Write the tokenizer of BERT; return the size of its vocabulary."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trained = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    trained.normalizer = normalizers.BertNormalizer(lowercase=True)
    trained.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trained.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=300, special_tokens=special))
    folder.mkdir(parents=True, exist_ok=True)
    words = sorted(trained.get_vocab().items(), key=lambda item: item[1])
    (folder / "vocab.txt").write_text("\n".join(word for word, _ in words), "utf-8")
    BertTokenizer(vocab=str(folder / "vocab.txt"), model_max_length=length).save_pretrained(folder)
    return len(words)


def byte_pairs(folder: Path, length: int = 64) -> int:
    """Write a byte-level tokenizer with the special tokens of RoBERTa; return the size of its vocabulary."""
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trained.train_from_iterator(
        CORPUS, trainers.BpeTrainer(vocab_size=500, special_tokens=special, initial_alphabet=alphabet)
    )
    trained.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=trained, model_max_length=length, pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    fast.save_pretrained(folder)
    return len(fast)


def unigram(folder: Path) -> int:
    """Write a tokenizer like that of T5; return the size of its vocabulary."""
    special = ["<pad>", "</s>", "<unk>"]
    trained = Tokenizer(models.Unigram())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(
        CORPUS, trainers.UnigramTrainer(vocab_size=300, special_tokens=special, unk_token="<unk>")
    )
    trained.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    fast = PreTrainedTokenizerFast(tokenizer_object=trained, pad_token="<pad>", eos_token="</s>", unk_token="<unk>")
    fast.save_pretrained(folder)
    return len(fast)


def lively(module: torch.nn.Module) -> Any:
    """Give a model weights so large that its outputs differ from text to text."""
    torch.manual_seed(7)
    with torch.no_grad():
        for name, weights in module.named_parameters():
            if weights.ndim > 1:
                weights.normal_(0.0, 0.25)
            elif "norm" not in name.lower():
                weights.normal_(0.0, 0.1)
    return module.eval()


def bert_classifier(folder: Path, labels: Sequence[str], length: int = 64, **more: Any) -> Path:
    """Write a classifier of texts or pairs of the architecture of BERT."""
    vocabulary = wordpiece(folder, length)
    names = dict(enumerate(labels))
    config = BertConfig(vocab_size=vocabulary, id2label=names, max_position_embeddings=length, **_BERT, **more)
    lively(BertForSequenceClassification(config)).save_pretrained(folder)
    return folder


def roberta_classifier(folder: Path, labels: Sequence[str], length: int = 64, **more: Any) -> Path:
    """Write a classifier of the architecture of RoBERTa."""
    vocabulary = byte_pairs(folder, length)
    names = dict(enumerate(labels))
    config = RobertaConfig(
        vocab_size=vocabulary, id2label=names, max_position_embeddings=length + 2, pad_token_id=1, **_BERT, **more
    )
    lively(RobertaForSequenceClassification(config)).save_pretrained(folder)
    return folder


def deberta_classifier(folder: Path, labels: Sequence[str]) -> Path:
    """Write an NLI classifier of the architecture of DeBERTa v3."""
    vocabulary = wordpiece(folder)
    config = DebertaV2Config(
        vocab_size=vocabulary, id2label=dict(enumerate(labels)), max_position_embeddings=64, relative_attention=True,
        pos_att_type=["p2c", "c2p"], position_buckets=8, norm_rel_ebd="layer_norm", share_att_key=True,
        type_vocab_size=0, **_BERT,
    )  # fmt: skip
    lively(DebertaV2ForSequenceClassification(config)).save_pretrained(folder)
    return folder


def detoxify_checkpoint(folder: Path, classes: Sequence[str], outputs: int) -> Path:
    """Write a checkpoint as Detoxify's, with its configuration and tokenizer beside it; return its path."""
    vocabulary = wordpiece(folder)
    config = BertConfig(vocab_size=vocabulary, max_position_embeddings=64, num_labels=outputs, **_BERT)
    config.save_pretrained(folder)
    architecture = {"model_type": str(folder), "model_name": "BertForSequenceClassification"}
    architecture |= {"tokenizer_name": "BertTokenizer", "num_classes": outputs}
    about = {"arch": {"args": architecture}, "dataset": {"args": {"classes": list(classes)}}}
    state = lively(BertForSequenceClassification(config)).state_dict()
    state["classifier.bias"] += 0.7
    torch.save({"config": about, "state_dict": state}, folder / "toxic.ckpt")
    return folder / "toxic.ckpt"


def hhem(folder: Path) -> tuple[Path, T5ForTokenClassification]:
    """Write HHEM 2.1 as it is published: its own kind of configuration, weights below `t5.`; return also its inside."""
    vocabulary = unigram(folder)
    config = T5Config(
        vocab_size=vocabulary, d_model=24, d_ff=40, d_kv=8, num_heads=3, num_layers=2, num_labels=2,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    inside = lively(T5ForTokenClassification(config))
    published = {"architectures": ["HHEMv2ForSequenceClassification"], "model_type": "HHEMv2"}
    published["auto_map"] = {"AutoModelForSequenceClassification": "modeling_hhem_v2.HHEMv2ForSequenceClassification"}
    (folder / "config.json").write_text(json.dumps(published), "utf-8")
    (folder / "modeling_hhem_v2.py").write_text("raise SystemExit('code of the hub was run')", "utf-8")
    state = {f"t5.{name}": value.contiguous().clone() for name, value in inside.state_dict().items()}
    state.pop("t5.transformer.encoder.embed_tokens.weight", None)  # as safetensors stores what is shared
    save_file(state, folder / "model.safetensors")
    return folder, inside


def lettuce(folder: Path, length: int = 512) -> Path:
    """Write a classifier of tokens as LettuceDetect's."""
    vocabulary = byte_pairs(folder, length)
    config = ModernBertConfig(
        vocab_size=vocabulary, max_position_embeddings=length, num_labels=2, local_attention=16, pad_token_id=1,
        bos_token_id=0, cls_token_id=0, eos_token_id=2, sep_token_id=2, **_BERT,
    )  # fmt: skip
    lively(ModernBertForTokenClassification(config)).save_pretrained(folder)
    return folder


def bi_encoder(
    folder: Path, pooling: str = "mean", *, dense: bool = False, normalize: bool = True, include_prompt: bool = True,
    prompts: dict[str, str] | None = None, length: int = 64,
) -> Path:  # fmt: skip
    """Write a bi-encoder by sentence-transformers itself."""
    base = folder / "base"
    vocabulary = wordpiece(base, length)
    config = BertConfig(vocab_size=vocabulary, max_position_embeddings=length, **_BERT)
    lively(BertModel(config)).save_pretrained(base)
    transformer = modules.Transformer(str(base), max_seq_length=length)
    parts: list[torch.nn.Module] = [transformer, modules.Pooling(32, pooling, include_prompt=include_prompt)]
    if dense:
        parts.append(lively(modules.Dense(32, 12)))
    if normalize:
        parts.append(modules.Normalize())
    SentenceTransformer(modules=parts, device="cpu", prompts=prompts).save(str(folder / "model"))
    return folder / "model"


class Spy:
    """A runtime that keeps which tokens were read."""

    def __init__(self, model: PretrainedModel) -> None:
        self._runtime = model.runtime
        self.read: set[int] = set()
        model.runtime = self
        model._runner = model._make_runner(self)

    def run(self, batch: TokenBatch, output: str) -> FloatArray:
        self.read.update(batch.input_ids.reshape(-1).tolist())
        return self._runtime.run(batch, output)


def windows_read(model: PretrainedModel) -> list[Window]:
    """Return a list to which the model adds each window that it is given."""
    read: list[Window] = []
    rows = model.rows

    def record(windows: Sequence[Window]) -> list[FloatArray]:
        read.extend(windows)
        return rows(windows)

    vars(model)["rows"] = record
    return read
