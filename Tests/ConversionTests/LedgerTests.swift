import Adapters
import Files
import Kernels
import Models
import SystemPackage
import Tensors
import TestSupport
import Testing
import WeightFiles

/// The ledger of a merge says what became of every tensor of an adapter.
struct LedgerTests {
  /// Every adapter of the vectors, found on disk so that none is forgotten.
  static let adapters: [FilePath] = ["llama", "llama-biased", "gemma2"].flatMap { model in
    let path = Vectors.path("models/\(model)")
    return ((try? path.entryNames) ?? []).map { path.appending($0) }
      .filter { $0.appending("adapter_config.json").exists }
  }

  /// The tensors of the adapter's file, with the copies that PEFT writes of a module trained whole.
  func tensorNames(of path: FilePath) throws -> [String] {
    let files = ["adapter_model.safetensors", "adapters.safetensors"].map { path.appending($0) }
    let file = try SafetensorsFile(try #require(files.first { $0.exists }))
    return file.tensorInfos.map(\.name)
  }

  @Test func `there are adapters of every kind`() {
    #expect(Self.adapters.count >= 48)
  }

  @Test(arguments: adapters)
  func `every tensor of an adapter is accounted for once`(path: FilePath) throws {
    let model = try VectorModel(path.removingLastComponent().lastComponent?.string ?? "")
    let members = [AdapterStack.Member(try model.adapter(at: path))]
    let stack = try AdapterStack(members).fitted(
      to: model.files().tensors, isTied: model.files().configuration().tiesWordEmbeddings,
      with: model.kernels)
    for isSourceFree in [false, true] {
      let ledger = MergePlan(stack, isSourceFree: isSourceFree).ledger
      let count = ledger.reduce(0) { $0 + $1.tensorCount }
      let names = try tensorNames(of: path)
      #expect(count == names.count, "\(isSourceFree ? "source-free" : "with a source")")
      #expect(Set(ledger.map { "\($0.module) \($0.disposition)" }).count == ledger.count)
    }
  }
}
