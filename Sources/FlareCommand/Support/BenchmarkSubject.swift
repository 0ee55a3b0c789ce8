import Adapters
import Benchmarks
import JSON
import Kernels
import Models
import Quantization
import SystemPackage
import Tensors

/// A model that is measured, and what was seen while it was opened.
struct BenchmarkSubject {
  let name: String
  let model: LanguageModel
  /// What its `config.json` says, or would say.
  let configuration: JSONValue
  let work: ModelWork
  /// nil for random weights.
  let opening: Opening?

  struct Opening {
    /// From the path to a model that can be run.
    let seconds: Double
    /// From the path to the first token behind a prompt.
    let firstTokenSeconds: Double
    /// How many tokens the prompt had.
    let promptCount: Int
  }

  typealias AdapterReader = (ModelConfiguration, Kernels) throws -> [AdapterStack.Member]

  /// Opens a model and sends a prompt through it, with the clock running.
  ///
  /// - Parameters:
  ///   - scheme: nil to leave the weights as they are.
  ///   - open: gives the model's files.
  init(
    _ scheme: QuantizationScheme?, promptCount: Int, adapters: AdapterReader,
    with kernels: Kernels, _ open: () throws -> ModelFiles
  ) throws {
    let start = ContinuousClock.now
    func elapsed() -> Double { (ContinuousClock.now - start).seconds }
    let files = try open()
    let tensors: any TensorSource =
      if let scheme {
        ConvertedTensors(files.tensors, scheme: scheme, with: kernels)
      } else { files.tensors }
    let model = try LanguageModel(
      files, tensors: tensors, adapters: try adapters(try files.configuration(), kernels),
      with: kernels)
    let openSeconds = elapsed()
    var session = try Session(model, capacity: promptCount, promptCount: promptCount)
    _ = try session.append(
      (0..<promptCount).map { $0 % model.configuration.vocabularySize })
    opening = Opening(
      seconds: openSeconds, firstTokenSeconds: elapsed(), promptCount: promptCount)
    name = files.name
    configuration = files.configurationJSON
    self.model = model
    work = ModelWork(model, tensors)
  }

  /// Makes a model of random weights.
  ///
  /// - Parameter scheme: nil for BF16.
  init(
    _ shape: ModelShape, _ scheme: QuantizationScheme?, adapters: AdapterReader,
    with kernels: Kernels
  ) throws {
    let configuration = try ModelConfiguration(
      huggingFace: shape.configuration, subject: shape.name)
    let tensors = RandomModel.tensors(of: configuration, scheme, with: kernels)
    name = shape.name
    self.configuration = shape.configuration
    model = try LanguageModel(
      shape.name, configuration: shape.configuration, tensors: tensors,
      adapters: try adapters(configuration, kernels), with: kernels)
    work = ModelWork(model, tensors)
    opening = nil
  }
}
