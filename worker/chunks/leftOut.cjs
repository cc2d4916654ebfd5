/** Stands in the built tfjs chunk for the parts of @tensorflow/tfjs that training does not use. */
module.exports = {};
