"""Tests of the training code that need neither sprites nor weights: python3 -m unittest tests"""

import argparse
import json
import os
import random
import tempfile
import types
import unittest
from unittest import mock

import torch
import torch.nn.functional as F

import bits
import captions
import checker
import common
import folder
import gelu
import lessons
import muon
import run
import scene
import team as teams
from published import t5
from text_encoder import TextEncoder
from text_to_bits import TextToBits
from tokenizer import Tokenizer, write
from transformer import segments_of
from vae import AutoEncoder
from words import COLOURS, plural, with_article

SIDES = [1, 2, 4]
HERE = os.path.dirname(os.path.abspath(__file__))
HELD_OUT = os.path.join(HERE, "..", "models", "stickers", "checker", "held-out.jsonl")


def made_up_library(where):
    """Two styles of four names in a folder, without drawings."""
    names = ["red apple", "cat face", "ice cream", "octopus"]
    with open(os.path.join(where, "sprites.jsonl"), "w", encoding="utf-8") as file:
        for name in names:
            for style in ("flat", "cartoon"):
                file.write(json.dumps({"name": name, "style": style, "offset": 0, "length": 0}) + "\n")
    return captions.Library(where)


class WordsTest(unittest.TestCase):
    def test_plurals_and_articles(self):
        self.assertEqual(
            [plural(n) for n in ("red apple", "slice of pizza", "strawberry", "fish", "snowman")],
            ["red apples", "slices of pizza", "strawberries", "fish", "snowmen"],
        )
        self.assertEqual(
            [with_article(n) for n in ("ice cream", "cat", "glasses")], ["an ice cream", "a cat", "glasses"]
        )


class CaptionsTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.library = made_up_library(self.folder.name)

    def test_the_same_step_gives_the_same_scenes(self):
        self.assertEqual(captions.plans(self.library, "a", 3, 20), captions.plans(self.library, "a", 3, 20))
        self.assertNotEqual(captions.plans(self.library, "a", 3, 20), captions.plans(self.library, "a", 4, 20))

    def test_what_is_held_out_is_never_planned(self):
        rng = random.Random(0)
        self.assertTrue(any(captions.held_out(captions.any_scene(rng, self.library)) for _ in range(500)))
        self.assertFalse(any(captions.held_out(s) for s in captions.plans(self.library, "a", 0, 2000)))

    def test_a_pair_is_held_out_in_both_orders_and_styles(self):
        pair = {"kind": "two", "names": ["fox", "star"], "count": 1, "style": "flat", "background": ["red"]}
        turned = {**pair, "names": ["star", "fox"], "style": "cartoon", "background": ["white", "blue"]}
        self.assertEqual(captions.held_out(pair), captions.held_out(turned))

    def test_every_prompt_of_the_evaluation_is_held_out(self):
        with open(HELD_OUT, encoding="utf-8") as file:
            self.assertEqual([line for line in file if not captions.held_out(json.loads(line))], [])

    def test_captions_name_what_is_there(self):
        rng = random.Random(0)
        for scene in captions.plans(self.library, "a", 0, 300):
            text = captions.caption(rng, self.library, scene)
            for name in scene["names"]:
                self.assertIn(plural(name) if scene["count"] > 1 else name, text)

    def test_every_word_of_a_caption_is_one_piece(self):
        write(self.library, self.folder.name)
        tokenizer, rng = Tokenizer(self.folder.name), random.Random(1)
        for scene in captions.plans(self.library, "b", 0, 200):
            text = captions.caption(rng, self.library, scene)
            words = text.replace(",", " ,").split()
            self.assertEqual(len(tokenizer(text)), len(words) + 1, text)


class CheckerTest(unittest.TestCase):
    def test_every_scene_has_one_layout(self):
        with tempfile.TemporaryDirectory() as where:
            library = made_up_library(where)
            library.index = {style: {name: 0 for name in library.names} for style in library.styles}
            rng = random.Random(0)
            for planned in (captions.any_scene(rng, library) for _ in range(200)):
                wanted = [(x, y, size) for _, x, y, size in scene.objects(library, planned)]
                fits = [
                    [(x, y, one["size"]) for x, y in one["places"]]
                    for one in checker.layouts()
                    if (one["kind"], one["relation"]) == (planned["kind"], planned["relation"])
                ]
                self.assertEqual(fits.count(wanted), 1)


class LessonsTest(unittest.TestCase):
    def setUp(self):
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.library = made_up_library(where.name)
        self.library.index = {style: {n: i for i, n in enumerate(self.library.names)} for style in self.library.styles}
        write(self.library, where.name)
        self.args = argparse.Namespace(shares="0.4,0.3,0.3", fresh=0.25, memory=100, text_len=32)
        self.where = where.name
        self.plans = lambda: iter(lessons.Planner(self.args, self.library, Tokenizer(where.name), 1))

    def test_a_place_is_read_only_after_it_was_filled(self):
        filled, plans = set(), self.plans()
        for i in range(8):
            plan = next(plans)
            filled.update(plan["into"].tolist())
            self.assertEqual(len(plan["into"]), lessons.AT_ONCE // 4 if i else lessons.AT_ONCE)
            self.assertEqual(len(plan["fresh"]["colours"]), len(plan["into"]))
            self.assertLessEqual(set(plan["places"].tolist()), filled)
            self.assertEqual(plan["ids"].shape[0], lessons.AT_ONCE)
        self.assertEqual(filled, set(range(100)))

    def test_features_come_with_their_own_captions(self):
        """An encoder that sees the background's colour alone, and captions that name nothing else."""
        self.args.size, self.args.planners, self.args.memory = 16, 0, 64
        painter = types.SimpleNamespace(
            device=torch.device("cpu"),
            library=self.library,
            paint=lambda packed: packed["colours"][:, 0, :, None, None].expand(-1, -1, 2, 2),
        )
        vae = types.SimpleNamespace(stride=8, config={"codebook_dim": 3}, encoder=lambda x: x)
        named = lambda rng, library, planned: planned["background"][0]
        with mock.patch.object(captions, "caption", named):
            found = lessons.Lessons(self.args, painter, lambda name: [list(COLOURS).index(name), 1], vae, 1)
            for count in (50, 7, 100, 64):
                features, ids, lengths = found.batch(count)
                self.assertEqual([len(features), len(ids), len(lengths)], [count] * 3)
                said = torch.tensor(list(COLOURS.values()))[ids[:, 0]]
                # fp16 in the memory
                self.assertLess((features[:, :, 0, 0] - said).abs().max().item(), 1e-3)

    def test_the_same_seed_gives_the_same_plans(self):
        self.assertTrue(torch.equal(next(self.plans())["ids"], next(self.plans())["ids"]))

    def test_a_packed_scene_has_every_sprite_once(self):
        scenes = captions.plans(self.library, "a", 0, 50)
        packed = scene.pack(self.library, scenes)
        count = sum(len(rows) for _, rows, _, _ in packed["layers"])
        self.assertEqual(count, sum(len(scene.objects(self.library, s)) for s in scenes))
        # A layer that had a scene twice would lose one of its sprites.
        self.assertTrue(all(len(set(rows.tolist())) == len(rows) for _, rows, _, _ in packed["layers"]))


class BitsTest(unittest.TestCase):
    def test_the_teacher_gives_the_bits_of_the_quantiser(self):
        h = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(0))
        _, inputs_of, _, _ = bits.quantize(h, SIDES)
        inputs, labels = bits.teacher(h, SIDES, 0.0)
        self.assertEqual(list(inputs.shape), [2, 20, 16])
        self.assertTrue(torch.equal(labels.bool(), torch.cat([b.flatten(1, 2) for b in inputs_of], 1)))

    def test_codes_have_length_one(self):
        lengths = bits.codes_of(torch.randint(0, 2, (1, 2, 2, 16))).square().sum(1)
        self.assertTrue(torch.allclose(lengths, torch.ones_like(lengths)))


class NetworksTest(unittest.TestCase):
    def test_gelu_and_its_gradient(self):
        x = torch.linspace(-6, 6, 61, dtype=torch.float64, requires_grad=True)
        self.assertTrue(torch.allclose(gelu.gelu(x), F.gelu(x, approximate="tanh"), atol=1e-12))
        self.assertTrue(torch.autograd.gradcheck(gelu.gelu, x))

    def test_the_text_encoder_agrees_with_a_plain_one(self):
        torch.manual_seed(0)
        net = TextEncoder(50, d_model=128, num_layers=2).eval()
        config = {
            **net.config,
            "layer_norm_epsilon": 1e-6,
            "relative_attention_num_buckets": 32,
            "relative_attention_max_distance": 128,
        }
        ids = torch.randint(3, 50, (1, 30))
        plain = t5.encode(dict(net.state_dict()), config, ids[0])
        # fp32 sums in two orders, values of order 1
        self.assertLess((net(ids, torch.tensor([30]))[0] - plain).abs().max().item(), 1e-4)

    def test_a_scale_does_not_see_later_ones(self):
        torch.manual_seed(0)
        net = TextToBits(
            dict(vocab_size=50, d_model=128, num_layers=1),
            dict(depth=2, embed_dim=64, num_heads=4, text_channels=128, block_chunks=1),
        ).eval()
        ids, lengths, tokens = torch.randint(3, 50, (1, 5)), torch.tensor([5]), torch.randn(1, 20, 16)
        whole = net(ids, lengths, tokens, SIDES)
        # the first two scales alone: 5 tokens, of which 4 have an input; fp32 sums in two orders
        self.assertLess((whole[:, :5] - net(ids, lengths, tokens[:, :4], SIDES[:2])).abs().max().item(), 1e-5)

    def test_segments_cover_the_schedule(self):
        for sides in common.SCHEDULES.values():
            segments = segments_of(tuple(sides))
            self.assertEqual([0, *[end for _, end in segments[:-1]]], [start for start, _ in segments])
            self.assertEqual(segments[-1][1], sum(s * s for s in sides))


class MuonTest(unittest.TestCase):
    def test_singular_values_become_alike(self):
        for shape in ((2, 48, 48), (1, 96, 48), (1, 48, 192)):
            g = torch.randn(shape, generator=torch.Generator().manual_seed(0))
            values = torch.linalg.svdvals(muon.orthogonal(g).float())
            # the quintic's own range, with bf16's rounding
            self.assertTrue(((values > 0.5) & (values < 1.3)).all(), values)

    def test_matrices_of_several_shapes_are_moved_each_for_itself(self):
        g = torch.Generator().manual_seed(0)
        momenta = [torch.randn(shape, generator=g) for shape in ((96, 32), (32, 32), (128, 32), (32, 128), (64, 32), (32, 32))]
        for together, momentum in zip(muon.directions(momenta), momenta):
            # bf16 products of another batch may round otherwise
            self.assertTrue(torch.allclose(together, muon.directions([momentum])[0], atol=2e-2))

    def test_it_finds_a_matrix(self):
        torch.manual_seed(0)
        wanted, p = torch.randn(3 * 16, 16), torch.nn.Parameter(torch.zeros(3 * 16, 16))
        optimizer = muon.Muon([p], lr=0.1, team=teams.Team())
        for _ in range(200):
            p.grad = p.detach() - wanted
            optimizer.step()
        self.assertLess((p - wanted).norm().item(), 0.2 * wanted.norm().item())


class FolderTest(unittest.TestCase):
    def test_weights_survive_in_one_file_and_in_shards(self):
        tensors = {"a": torch.randn(3, 5).half(), "b": torch.randn(2**22).half(), "c": torch.randn(2**22).half()}
        with tempfile.TemporaryDirectory() as where:
            for stem, chosen in (("one", {"a": tensors["a"]}), ("many", tensors)):
                folder.save_weights(os.path.join(where, stem), chosen, 15 * 2**20)
                read = folder.load_weights(os.path.join(where, stem))
                self.assertEqual(sorted(read), sorted(chosen))
                self.assertTrue(all(torch.equal(read[k], chosen[k]) for k in chosen))
            # two tensors of 8 MiB do not fit into one file of 15 MiB
            self.assertEqual(len([f for f in os.listdir(os.path.join(where, "many")) if f.endswith(".safetensors")]), 2)

    def test_the_autoencoder_has_the_published_stride(self):
        net = AutoEncoder(48, (1, 1, 2, 2), 16).eval()
        y, h, _, _, _ = net(torch.zeros(1, 3, 32, 32), SIDES)
        self.assertEqual([list(h.shape), list(y.shape)], [[1, 16, 4, 4], [1, 3, 32, 32]])


class ClockTest(unittest.TestCase):
    def test_an_interrupted_stage_goes_on_and_a_finished_one_gives_way(self):
        self.assertEqual(run.Clock(100, 40).fraction, 0.4)
        self.assertEqual(run.Clock(100, 100).fraction, 0.0)

    def test_a_pause_counts_little(self):
        clock = run.Clock(1000)
        clock.last -= 500
        clock.tick()
        self.assertLessEqual(clock.trained, clock.PATIENCE)


if __name__ == "__main__":
    unittest.main()
