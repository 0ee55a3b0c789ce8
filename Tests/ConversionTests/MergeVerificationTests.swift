import Adapters
import Conversion
import Files
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing

/// A merge that proves itself, and merges that are not what they say.
struct MergeVerificationTests {
  struct Case: CustomTestStringConvertible {
    let model: String
    let adapter: String
    var testDescription: String { "\(model) \(adapter)" }
  }

  static let cases =
    [
      "lora", "rslora-patterns", "dora", "embedding", "head", "saved-norm", "trainable-tokens",
      "resized", "flare-add", "flare-add_relu", "flare-cross-attention", "flare-mt",
    ].map { Case(model: "llama", adapter: $0) }
    + [
      "lora", "head", "embedding", "embedding-tied", "saved-embeddings", "resized", "flare-add",
      "flare-matmul",
    ].map { Case(model: "gemma2", adapter: $0) }

  func conversion(
    _ model: VectorModel, _ members: [AdapterStack.Member], to destination: FilePath,
    merging: MergeOptions = MergeOptions()
  ) throws -> Conversion {
    try Conversion(
      ConversionRequest(
        model: model.files(), adapters: members, destination: destination, form: .huggingFace,
        elementType: .float32, merging: merging),
      with: model.kernels)
  }

  @Test(arguments: cases)
  func `a merge is sound, and the base, or another merge, in its place is not`(
    test: Case
  ) throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel(test.model)
      let merged = directory.appending("merged")
      let conversion = try conversion(model, model.members(test.adapter), to: merged)
      try conversion.run()
      let sound = try MergeVerification(of: conversion, at: merged, with: model.kernels)
      #expect(sound.isSound)
      #expect(sound.effect.largest > 0.1 && sound.effect.divergence > 1e-3)
      #expect(sound.merged.largest < 1e-3 && sound.merged.divergence < 1e-7)
      #expect(sound.merged.agreement == 1)

      let nothing = try MergeVerification(of: conversion, at: model.path, with: model.kernels)
      #expect(!nothing.isSound)
      #expect(nothing.merged == nothing.effect)

      let other = directory.appending("other")
      let name = test.adapter == "lora" ? "dora" : "lora"
      try self.conversion(model, model.members(name), to: other).run()
      let wrong = try MergeVerification(of: conversion, at: other, with: model.kernels)
      #expect(!wrong.isSound)
    }
  }

  @Test func `a delta of zero is refused by name unless it may be zero`() throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel("llama")
      let module = "model.layers.1.mlp.down_proj"
      var edited = try EditedAdapter(model.path.appending("lora-2"))
      for index in edited.tensors.indices
      where edited.tensors[index].name == "base_model.model.\(module).lora_B.weight" {
        let tensor = edited.tensors[index].tensor
        edited.tensors[index].tensor = Tensor(
          bytes: Array(repeating: 0, count: tensor.byteArray.count), shape: tensor.shape,
          elementType: tensor.elementType)
      }
      let path = directory.appending("untrained")
      try edited.write(to: path)
      let members = [AdapterStack.Member(try model.adapter(at: path))]
      let merged = directory.appending("merged")
      let error = #expect(throws: AdapterError.self) {
        try conversion(model, members, to: merged)
      }
      #expect(
        error?.description
          == "\(path): the delta of '\(module)' is zero, so merging it changes nothing. Is the "
          + "adapter trained? Pass --allow-zero if it should be so")
      #expect(!merged.exists)

      var merging = MergeOptions()
      merging.allowsZero = true
      let allowed = try conversion(model, members, to: merged, merging: merging)
      try allowed.run()
      #expect(try MergeVerification(of: allowed, at: merged, with: model.kernels).isSound)
    }
  }

  @Test func `a bias of an adapter needs one of the base to go to`() throws {
    try withTemporaryDirectory { directory in
      let model = try VectorModel("llama")
      var edited = try EditedAdapter(model.path.appending("lora-2"))
      edited.configuration = edited.configuration.replacing(
        "\"lora_bias\": false", with: "\"lora_bias\": true")
      for (name, tensor) in edited.tensors where name.hasSuffix("lora_B.weight") {
        let rows = tensor.shape[0]
        edited.tensors.append(
          (
            name.replacing("lora_B.weight", with: "lora_B.bias"),
            Tensor(Array(repeating: 0.5, count: rows), shape: [rows])
          ))
      }
      let path = directory.appending("biased")
      try edited.write(to: path)
      let adapter = try model.adapter(at: path)
      // It runs, and not as it does without its biases.
      #expect(
        try largestDifference(model.logits(adapter), model.logits(model.adapter("lora-2"))) > 0.1)
      let error = #expect(throws: AdapterError.self) {
        try conversion(
          model, [AdapterStack.Member(adapter)], to: directory.appending("merged"))
      }
      let text = try #require(error?.description)
      #expect(text.hasPrefix("\(path): has a bias for 'model.layers."), "\(text)")
      #expect(
        text.hasSuffix(
          "('lora_bias'), which the base has none to merge it into. Run it as an adapter"))
      #expect(!directory.appending("merged").exists)
    }
  }
}
