import Files
import SystemPackage
import TestSupport
import Testing

/// Models that are broken on disk, each in one way.
struct DamagedModelTests {
  /// A copy of the tiny Llama in which one file can be damaged.
  func withModel(_ body: (FilePath) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      let original = Vectors.path("models/llama")
      for name in try original.entryNames where original.appending(name).isRegularFile {
        try directory.appending(name).overwrite(original.appending(name).readBytes())
      }
      try body(directory)
    }
  }

  func refusal(of model: FilePath) throws -> String {
    let output = model.appending("logits")
    let process = try FinishedProcess(
      "flare", ["logits", model.string, "--tokens", "1,2", "-o", output.string])
    #expect(process.exitCode == 65)
    #expect(process.errors.hasSuffix("\n") && process.errors.count(where: \.isNewline) == 1)
    #expect(!output.exists)
    return process.errors
  }

  @Test func `the undamaged copy works`() throws {
    try withModel { model in
      let output = model.appending("logits")
      let process = try FinishedProcess(
        "flare", ["logits", model.string, "--tokens", "1,2", "-o", output.string])
      #expect(process.exitCode == 0, "\(process.errors)")
      #expect(output.exists)
    }
  }

  @Test func `a missing shard is named`() throws {
    try withModel { model in
      model.appending("model-00002-of-00003.safetensors").removeItem()
      let refusal = try refusal(of: model)
      #expect(refusal.contains("model-00002-of-00003.safetensors"))
    }
  }

  @Test func `a truncated shard is named`() throws {
    try withModel { model in
      let shard = model.appending("model-00002-of-00003.safetensors")
      try shard.overwrite(Array(shard.readBytes().dropLast()))
      let refusal = try refusal(of: model)
      #expect(refusal.contains("model-00002-of-00003.safetensors"))
    }
  }

  @Test(arguments: [
    ("\"model_type\": \"llama\"", "\"model_type\": \"mamba\"", "'model_type' is \"mamba\""),
    ("\"hidden_size\": 64", "\"hidden_size\": 32", "the configuration needs"),
    ("\"rope_type\": \"llama3\"", "\"rope_type\": \"spiral\"", "'rope_type' is \"spiral\""),
    ("\"hidden_act\": \"silu\"", "\"hidden_act\": \"relu6\"", "'hidden_act' is \"relu6\""),
    ("\"mlp_bias\": false", "\"mlp_bias\": false, \"clip\": 3", "'clip' is 3"),
    ("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2", "has no place in the architecture"),
    ("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4", "'model.layers.3.input_layernorm"),
    ("\"attention_bias\": false", "\"attention_bias\": true", "q_proj.bias' not found"),
    ("\"vocab_size\": 96", "\"vocab_size\": \"many\"", "'vocab_size' is \"many\""),
    ("{", "", "not JSON"),
  ])
  func `a configuration that does not fit is refused by name`(
    original: String, replacement: String, message: String
  ) throws {
    try withModel { model in
      let path = model.appending("config.json")
      let text = try path.readText()
      #expect(text.contains(original))
      try path.overwrite(text.replacing(original, with: replacement, maxReplacements: 1))
      let refusal = try refusal(of: model)
      #expect(refusal.contains(message), "\(refusal)")
    }
  }
}
