import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// Files that PyTorch and peft wrote, and legal files that they never write.
struct PickleReaderTests {
  private func vector(_ name: String) throws -> PickledFile {
    try PickledFile(Vectors.path("pickle/\(name)"))
  }

  private func expectSame(
    _ actual: some TensorSource, _ expected: some TensorSource,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(
      Set(actual.tensorInfos) == Set(expected.tensorInfos), sourceLocation: sourceLocation)
    for info in expected.tensorInfos {
      #expect(
        try actual.tensor(named: info.name).byteArray
          == expected.tensor(named: info.name).byteArray,
        "\(info.name)", sourceLocation: sourceLocation)
    }
  }

  private func address(_ tensor: Tensor) -> UInt {
    unsafe tensor.bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
  }

  @Test func `every element type that PyTorch saves is read byte for byte`() throws {
    let file = try vector("types.bin")
    #expect(file.tensorInfos.count == 19)
    for info in file.tensorInfos {
      #expect(info.name == info.elementType.rawValue)
      #expect(info.shape == [2, 3])
      let bytes = try file.tensor(named: info.name).byteArray
      let largest = info.elementType == .boolean ? 2 : 256
      #expect(bytes == (0..<info.byteCount).map { UInt8($0 % largest) })
    }
  }

  @Test(arguments: ["views", "views-protocol4", "views-protocol5"])
  func `views of every kind are what PyTorch makes contiguous`(name: String) throws {
    try expectSame(
      try vector("\(name).bin"), try SafetensorsFile(Vectors.path("pickle/views.safetensors")))
  }

  @Test func `contiguous tensors are mapped and others copied`() throws {
    let file = try vector("views.bin")
    for name in ["tail", "odd tail", "embed", "parameter"] {
      let one = try file.tensor(named: name), other = try file.tensor(named: name)
      #expect(address(one) == address(other), "\(name)")
    }
    let one = try file.tensor(named: "transposed"), other = try file.tensor(named: "transposed")
    #expect(address(one) != address(other))
  }

  @Test func `tied weights are the same bytes`() throws {
    let file = try vector("views.bin")
    #expect(
      try address(file.tensor(named: "embed")) == address(file.tensor(named: "head")))
  }

  @Test func `a state dict is found beside an optimizer`() throws {
    let file = try vector("wrapped.bin")
    try expectSame(file, try SafetensorsFile(Vectors.path("pickle/wrapped.safetensors")))
    #expect(file.ignoredKeys == ["epoch", "loss", "optimizer", "best"])
    #expect(
      file.warnings == [
        "\(file.path): 'epoch', 'loss', 'optimizer', 'best' beside the state_dict are not read"
      ])
    #expect(try vector("types.bin").warnings == [])
  }

  @Test func `an adapter that peft pickled is read`() throws {
    try expectSame(
      try vector("peft/adapter_model.bin"),
      try SafetensorsFile(Vectors.path("pickle/peft/expected.safetensors")))
  }

  @Test func `a pickled module is refused with the name of its class`() throws {
    let path = Vectors.path("pickle/module.bin")
    let error = #expect(throws: WeightFileError.self) { try PickledFile(path) }
    #expect(error?.code == .forbidden)
    #expect(
      error?.description
        == "\(path): wants to call 'torch.nn.modules.linear.Linear', which a checkpoint of weights "
        + "never does; it was not executed")
  }

  @Test func `a tensor that repeats its storage is refused`() throws {
    let path = Vectors.path("pickle/repeated.bin")
    let error = #expect(throws: WeightFileError.self) { try PickledFile(path) }
    #expect(
      error?.description
        == "\(path): tensor 'repeated' repeats the elements of its storage: offset 0, shape [1000], "
        + "strides [0]. Save it again with .contiguous()")
  }

  @Test func `a conjugated tensor is refused`() throws {
    let path = Vectors.path("pickle/conjugate.bin")
    let error = #expect(throws: WeightFileError.self) { try PickledFile(path) }
    #expect(
      error?.description.hasPrefix(
        "\(path): data.pkl calls 'torch._utils._rebuild_tensor_v2' with arguments that PyTorch "
          + "never gives it") == true)
  }

  @Test func `an unknown name is an error that gives the nearest one`() throws {
    let error = #expect(throws: TensorSourceError.self) {
      try vector("views.bin").tensor(named: "scaler")
    }
    #expect(
      error?.description == "'scaler' not found; the source has 14 tensors, nearest 'scalar'")
  }

  @Test(arguments: [false, true])
  func `a storage at an odd byte is given aligned`(isLong: Bool) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("pytorch_model.bin")
      var mapped = 0
      for padding in 0..<4 {
        var zip = Pickle.file(Pickle.valid)
        zip.isLong = isLong
        zip.entries.insert(
          .init(name: "m/padding", data: [UInt8](repeating: 0, count: padding)), at: 0)
        for index in zip.entries.indices { zip.entries[index].isLong = isLong }
        try path.overwrite(zip.bytes)
        let file = try PickledFile(path)
        let tensor = try file.tensor(named: "w")
        #expect(tensor.floatArray == [1, 2])
        #expect(address(tensor) % 4 == 0)
        mapped += try address(file.tensor(named: "w")) == address(tensor) ? 1 : 0
      }
      #expect(mapped == 1)
    }
  }

  @Test func `shards and their index are one source`() throws {
    let checkpoint = try PickledCheckpoint(Vectors.path("pickle/trainer/cross_attention"))
    #expect(checkpoint.files.count == 3 && checkpoint.warnings.isEmpty)
    #expect(checkpoint.tensorInfos.count == 30)
    #expect(checkpoint.info(named: "qa_outputs.bias")?.shape == [2])
    let base = try SafetensorsFile(Vectors.path("pickle/trainer/cross_attention/base.safetensors"))
    #expect(
      try checkpoint.tensor(named: "encoder.model.lm_head.weight").byteArray
        == base.tensor(named: "lm_head.weight").byteArray)
  }

  @Test(arguments: ["../a.bin", "a.safetensors", "/a.bin"])
  func `an index of pickles can only name pickles beside it`(name: String) throws {
    try withTemporaryDirectory { directory in
      let index = directory.appending("pytorch_model.bin.index.json")
      try index.overwrite(#"{"weight_map":{"w":"\#(name)"}}"#)
      let error = #expect(throws: WeightFileError.self) { try PickledCheckpoint(directory) }
      #expect(
        error?.description
          == "\(index): tensor 'w' is in \"\(name)\", expected the name of a .bin file beside the "
          + "index")
    }
  }

  @Test func `a directory without pickles is refused`() throws {
    try withTemporaryDirectory { directory in
      let error = #expect(throws: WeightFileError.self) { try PickledCheckpoint(directory) }
      #expect(
        error?.description
          == "\(directory): holds neither 'pytorch_model.bin' nor 'pytorch_model.bin.index.json'")
    }
  }
}
