/// The metadata keys of a GGUF adapter.
enum GGUFAdapterKeys {
  static let architecture = "general.architecture"
  static let name = "general.name"
  static let baseName = "general.base_model.0.name"
  static let type = "general.type"
  static let fileType = "general.file_type"
  static let adapterType = "adapter.type"
  static let alpha = "adapter.lora.alpha"
  static let taskName = "adapter.lora.task_name"
  static let promptPrefix = "adapter.lora.prompt_prefix"

  /// What every key that is about the adapter begins with.
  static let prefix = "adapter."
  /// Those of them that are read; any other may change numbers and is refused.
  static let known: Set = [adapterType, alpha, taskName, promptPrefix]
}
