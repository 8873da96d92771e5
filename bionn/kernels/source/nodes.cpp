// Kernels as ops of torch's, each with a node of its own in autograd's graph.
//
// A node written in Python costs ten to thirty microseconds more than one of torch's own, which is what
// a small op takes. The ops here take plain float32 tensors of the CPU and give nothing for whatever
// else there is; they know neither forward mode nor transforms. A derivative that is to be
// differentiated again goes through `bionn::chain`, which Python defines.
#include <string>

#include "adamw.h"
#include "elementwise_node.h"
#include "linear_node.h"
#include "loss_nodes.h"
#include "mlp_node.h"
#include "onehot_node.h"

TORCH_LIBRARY(bionn, library) {
  library.def("chain(str name, Tensor u, Tensor[] kept, float[] constants) -> Tensor");
  library.def("chains(str name, Tensor u, Tensor[] kept, float[] constants) -> Tensor[]");
  library.def(
      "adamw(Tensor[] parameters, Tensor[] averages, Tensor[] squares, Tensor[] counts, int[] sizes, float[] options) "
      "-> bool",
      adamw);
  library.def("onehot_linear(Tensor codes, Tensor weight, Tensor? bias, Tensor table) -> Tensor?", onehot_linear);
  library.def("linear(Tensor x, Tensor weight, Tensor? bias) -> Tensor?", linear);
  library.def("mlp(Tensor input, Tensor? table, Tensor[] weights, Tensor[] biases, str activation, "
              "float[] constants, float[] shares, int row) -> Tensor?", mlp);
  library.def("dropout_mask(int[] size, float p, int row, int? key) -> Tensor?", dropout_mask);
  library.def("dropout_codes(Tensor codes, float p, int blank, int row, int? key) -> Tensor?", dropout_codes);
  library.def("cross_entropy(Tensor z, Tensor target, Tensor? weight, int ignored, int reduction) -> Tensor?",
              cross_entropy);
  for (const Loss& each : losses) {
    const std::string schema = std::string(each.name) + "(Tensor y, Tensor target, int reduction, float c) -> Tensor?";
    const int64_t at = &each - losses;
    library.def(schema.c_str(), [at](const Tensor& y, const Tensor& target, int64_t reduction, double c) {
      return loss(at, y, target, reduction, c);
    });
  }
  for (const Op& op : ops) {
    const std::string schema = std::string(op.name) + "(Tensor z, float[] constants) -> Tensor?";
    library.def(schema.c_str(), [at = &op - ops](const Tensor& z, at::ArrayRef<double> constants) {
      return apply(at, z, constants);
    });
  }
}
