import Adapters
import Conversion
import Files
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

struct ResumeTests {
  let kernels: Kernels
  init() throws { kernels = try Kernels(threadCount: 2) }

  /// A conversion that notes how far it is every two kilobytes.
  private static func request(
    _ form: String, to destination: FilePath, resumes: Bool = false, with kernels: Kernels
  ) throws -> ConversionRequest {
    let path = Vectors.path("models/llama")
    var request = ConversionRequest(
      model: try ModelFiles(path),
      // A checkpoint has the adapter's residue too, bound to the weights that several runs write.
      adapters: try (["lora", "dora"] + (form == "hf" ? ["flare-add"] : [])).map {
        AdapterStack.Member(try Adapter(path.appending($0), with: kernels))
      },
      destination: destination, form: ConversionRequest.Form(rawValue: form) ?? .bundle,
      quantization: form == "bundle" || form == "flare" ? .int4 : nil)
    request.output.resumes = resumes
    request.output.checkpointByteCount = 2048
    request.output.memoryBudget = 1 << 20
    return request
  }

  /// Runs in a process that ends as by `kill -9` when that many bytes were computed.
  private static func runKilled(
    _ form: String, to destination: String, resumes: Bool, after byteCount: Int
  ) throws {
    let kernels = try Kernels(threadCount: 2)
    let conversion = try Conversion(
      request(form, to: FilePath(destination), resumes: resumes, with: kernels), with: kernels)
    try conversion.check()
    var done = 0
    try conversion.run { step in
      done += step.byteCount
      if done >= byteCount { kill(getpid(), SIGKILL) }
    }
  }

  @Test(arguments: ["notes.txt", "files"])
  func `a folder of somebody else where a run would put its files is left alone`(
    name: String
  ) throws {
    try withTemporaryDirectory { folder in
      let note = folder.appending("out.partial").appending(name)
      try note.writeNew("mine")
      let conversion = try Conversion(
        Self.request("bundle", to: folder.appending("out"), with: kernels), with: kernels)
      let error = #expect(throws: ConversionError.self) { try conversion.check() }
      #expect(error?.description.contains("holds '\(name)', which is of no such run") == true)
      #expect(try note.readText() == "mine")
    }
  }

  @Test(arguments: ["hf", "bundle", "flare", "gguf"])
  func `a run that is killed anywhere and gone on with gives the bytes of one run`(
    form: String
  ) async throws {
    let directory = try TemporaryDirectory()
    let name = form == "gguf" ? "out.gguf" : form == "flare" ? "out.flare" : "out"
    let (whole, killed) = (
      directory.path.appending("whole").appending(name),
      directory.path.appending("killed").appending(name)
    )
    for path in [whole, killed] { unsafe mkdir(path.removingLastComponent().string, 0o755) }
    let conversion = try Conversion(
      Self.request(form, to: whole, with: kernels), with: kernels)
    try conversion.run()
    let expected = try whole.removingLastComponent().tree

    var random = SeededGenerator(seed: 6)
    var byteCount = 0
    for _ in 0..<6 {
      byteCount = Int.random(in: byteCount..<conversion.byteCount, using: &random)
      let destination = killed.string
      await #expect(processExitsWith: .signal(SIGKILL)) {
        [form = form as String, destination = destination as String, byteCount = byteCount as Int]
        in
        try ResumeTests.runKilled(form, to: destination, resumes: true, after: byteCount)
      }
      #expect(!killed.exists)
      #expect(try killed.removingLastComponent().directoryEntries() == ["\(name).partial"])
    }
    let last = try Conversion(
      Self.request(form, to: killed, resumes: true, with: kernels), with: kernels)
    try last.check()
    var steps: [ConversionStep] = []
    try last.run { steps.append($0) }
    #expect(try killed.removingLastComponent().tree == expected)
    // It did go on: the first step is what was there. In one file the weights, which are smaller than
    // a frame, are there as a whole or not at all.
    #expect(steps[0].tensor.isEmpty && (form == "flare" || steps[0].byteCount > 20_000))
    #expect(steps.reduce(0) { $0 + $1.byteCount } == conversion.byteCount)
    #expect(last.ledgerJSON == conversion.ledgerJSON)
  }

  /// Leaves a partial of a run that was killed half way.
  private func killHalfWay(_ destination: FilePath) async {
    let destination = destination.string
    await #expect(processExitsWith: .signal(SIGKILL)) { [destination = destination as String] in
      try ResumeTests.runKilled("bundle", to: destination, resumes: false, after: 30_000)
    }
  }

  @Test func `bytes that never reached the disk are made again`() async throws {
    let directory = try TemporaryDirectory()
    let (whole, path) = (directory.path.appending("whole"), directory.path.appending("out"))
    try Conversion(Self.request("bundle", to: whole, with: kernels), with: kernels).run()
    await killHalfWay(path)
    let file = directory.path.appending("out.partial/files/model.safetensors")
    var bytes = try file.readBytes()
    for i in bytes.indices.dropFirst(9000) { bytes[i] = 0 }
    removeTree(file)
    try file.writeNew(bytes)
    let conversion = try Conversion(
      Self.request("bundle", to: path, resumes: true, with: kernels), with: kernels)
    var steps: [ConversionStep] = []
    try conversion.run { steps.append($0) }
    #expect(try path.tree == whole.tree)
    #expect(1..<9001 ~= steps[0].byteCount)
  }

  @Test func `what an earlier run left is neither overwritten nor taken for another request`()
    async throws
  {
    let directory = try TemporaryDirectory()
    let path = directory.path.appending("out")
    await killHalfWay(path)
    let again = try Conversion(Self.request("bundle", to: path, with: kernels), with: kernels)
    let refused = #expect(throws: ConversionError.self) { try again.check() }
    #expect(refused?.description.contains("Pass --resume to go on with it, or remove it") == true)
    var other = try Self.request("bundle", to: path, resumes: true, with: kernels)
    other.merging.rounding = .twice
    let error = #expect(throws: ConversionError.self) {
      try Conversion(other, with: kernels).run()
    }
    #expect(
      error?.description.contains("because 'rounding' was \"once\" and is \"twice\" now") == true)
    #expect(try directory.path.directoryEntries() == ["out.partial"])
  }

  @Test func `a journal that was cut is read up to the cut`() async throws {
    let directory = try TemporaryDirectory()
    let (whole, path) = (directory.path.appending("whole"), directory.path.appending("out"))
    try Conversion(Self.request("bundle", to: whole, with: kernels), with: kernels).run()
    await killHalfWay(path)
    let journal = directory.path.appending("out.partial/journal")
    let text = try journal.readText()
    for count in [text.utf8.count - 1, text.utf8.count - 40, 700, 3, 0] {
      removeTree(journal)
      try journal.writeNew(Array(text.utf8.prefix(count)))
      try Conversion(
        Self.request("bundle", to: path, resumes: true, with: kernels), with: kernels
      ).run()
      #expect(try path.tree == whole.tree)
      removeTree(path)
      await killHalfWay(path)
    }
  }

  @Test func `a source that changes under the run ends it and leaves nothing`() throws {
    try withTemporaryDirectory { directory in
      let model = directory.appending("model")
      try Vectors.path("models/llama").copyFiles(to: model)
      let path = directory.appending("out")
      var request = ConversionRequest(
        model: try ModelFiles(model), destination: path, form: .bundle)
      request.output.checkpointByteCount = 2048
      let shard = model.appending("model-00003-of-00003.safetensors")
      let conversion = try Conversion(request, with: kernels)
      var isCut = false
      let error = #expect(throws: ConversionError.self) {
        try conversion.run { step in
          if isCut || step.tensor.isEmpty { return }
          isCut = true
          unsafe truncate(shard.string, 100)
        }
      }
      #expect(error?.description.hasPrefix("\(shard): was changed while it was read") == true)
      #expect(try directory.directoryEntries() == ["model"])
    }
  }

  @Test func `two runs for one destination do not meet`() async throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("out")
      var request = try Self.request("bundle", to: path, resumes: true, with: kernels)
      request.output.resumes = true
      let first = try Conversion(request, with: kernels)
      let second = try Conversion(request, with: kernels)
      var errors: [any Error] = []
      try first.run { _ in
        guard errors.isEmpty else { return }
        do { try second.run() } catch { errors.append(error) }
      }
      #expect("\(errors[0])".contains("another run of flare is writing it at this moment"))
      #expect(try directory.directoryEntries() == ["out"])
    }
  }

  @Test(arguments: [1, 2, 3])
  func `threads and memory do not change a byte`(threadCount: Int) throws {
    try withTemporaryDirectory { directory in
      var trees: [[String: [UInt8]]] = []
      for budget in [1 << 17, 1 << 30] {
        let kernels = try Kernels(threadCount: threadCount)
        let path = directory.appending("out\(budget)")
        var request = try Self.request("hf", to: path, with: kernels)
        request.output.memoryBudget = budget
        try Conversion(request, with: kernels).run()
        trees.append(try path.tree)
      }
      let path = directory.appending("one")
      let single = try Kernels(threadCount: 1)
      try Conversion(Self.request("hf", to: path, with: single), with: single).run()
      #expect(try trees.allSatisfy { try $0 == path.tree })
    }
  }
}

extension FilePath {
  /// The bytes of every file in a directory and below.
  var tree: [String: [UInt8]] {
    get throws {
      var files: [String: [UInt8]] = [:]
      for name in try directoryEntries() {
        let entry = appending(name)
        if entry.isDirectory {
          for (path, bytes) in try entry.tree { files["\(name)/\(path)"] = bytes }
        } else {
          files[name] = try entry.readBytes()
        }
      }
      return files
    }
  }

  /// Copies the files of a directory, without the folders in it.
  func copyFiles(to directory: FilePath) throws {
    unsafe mkdir(directory.string, 0o755)
    for name in try directoryEntries() where appending(name).isRegularFile {
      try directory.appending(name).writeNew(try appending(name).readBytes())
    }
  }
}
