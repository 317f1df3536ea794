package dl4jbridge.fused;

import dl4jbridge.Fixtures;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * A second implementation of LSTM layers, with or without peepholes, and a softmax with cross-entropy: one loop for
 * each formula, in double precision, sharing only the order of the parameters with DL4J and the fused layers.
 */
final class DoublePrecision {
    private final int inputs;
    private final int size;
    private final int outputs;
    private final int layers;
    private final boolean peepholes = Fixtures.cell.hasPeepholes();
    final double[] parameters;
    /** [layer][example][unit], carried from segment to segment. */
    double[][][] hidden;
    double[][][] cell;

    DoublePrecision(Twins.Sizes sizes, float[] parameters) {
        inputs = sizes.inputs;
        size = sizes.hidden;
        outputs = sizes.outputs;
        layers = sizes.layers;
        hidden = new double[layers][sizes.batch][size];
        cell = new double[layers][sizes.batch][size];
        this.parameters = new double[parameters.length];
        for (int i = 0; i < parameters.length; i++) {
            this.parameters[i] = parameters[i];
        }
    }

    /** The same parameters and the same state, in arrays of its own. */
    private DoublePrecision(DoublePrecision other) {
        inputs = other.inputs;
        size = other.size;
        outputs = other.outputs;
        layers = other.layers;
        parameters = other.parameters.clone();
        hidden = copy(other.hidden);
        cell = copy(other.cell);
    }

    private static double[][][] copy(double[][][] a) {
        double[][][] b = new double[a.length][a[0].length][];
        for (int i = 0; i < a.length; i++) {
            for (int j = 0; j < a[i].length; j++) {
                b[i][j] = a[i][j].clone();
            }
        }
        return b;
    }

    /**
     * Cross-entropy of a segment, summed over examples and steps; leaves the state after it.
     *
     * @param mask [batch, steps] of every recurrent layer, or null
     */
    double loss(INDArray features, INDArray labels, INDArray mask) {
        double loss = 0;
        for (int b = 0; b < features.size(0); b++) {
            for (int t = 0; t < features.size(2); t++) {
                double[] x = column(features, b, t);
                int at = 0;
                for (int i = 0; i < layers; i++) {
                    at = step(i, b, x, at, mask == null ? 1 : mask.getDouble(b, t));
                    x = hidden[i][b];
                }
                loss += crossEntropy(x, at, column(labels, b, t));
            }
        }
        return loss;
    }

    private static double[] column(INDArray a, int b, int t) {
        double[] x = new double[(int) a.size(1)];
        for (int i = 0; i < x.length; i++) {
            x[i] = a.getDouble(b, i, t);
        }
        return x;
    }

    /** One layer, one example, one step. Returns where the next layer's parameters begin. */
    private int step(int layer, int b, double[] x, int at, double mask) {
        int recurrent = at + 4 * size * x.length;
        int peephole = recurrent + 4 * size * size;
        int bias = peephole + (peepholes ? 3 * size : 0);
        double[] before = hidden[layer][b].clone();
        for (int j = 0; j < size; j++) {
            double[] z = new double[4];
            for (int gate = 0; gate < 4; gate++) {
                int column = gate * size + j;
                z[gate] = parameters[bias + column];
                for (int i = 0; i < x.length; i++) {
                    z[gate] += x[i] * parameters[at + column * x.length + i];
                }
                for (int i = 0; i < size; i++) {
                    z[gate] += before[i] * parameters[recurrent + column * size + i];
                }
            }
            double c = cell[layer][b][j];
            double forget = sigmoid(z[1] + c * peephole(peephole + j));
            double input = sigmoid(z[3] + c * peephole(peephole + 2 * size + j));
            c = forget * c + input * Math.tanh(z[0]);
            double output = sigmoid(z[2] + c * peephole(peephole + size + j));
            hidden[layer][b][j] = mask * output * Math.tanh(c);
            cell[layer][b][j] = mask * c;
        }
        return bias + 4 * size;
    }

    private double peephole(int at) {
        return peepholes ? parameters[at] : 0;
    }

    private static double sigmoid(double z) {
        return 1 / (1 + Math.exp(-z));
    }

    private double crossEntropy(double[] x, int at, double[] labels) {
        double sum = 0;
        double wanted = 0;
        for (int k = 0; k < outputs; k++) {
            double logit = parameters[at + outputs * size + k];
            for (int i = 0; i < size; i++) {
                logit += x[i] * parameters[at + k * size + i];
            }
            sum += Math.exp(logit);
            wanted += labels[k] * logit;
        }
        return Math.log(sum) - wanted;
    }

    /** Central differences of the loss of a segment from the present state, which stays. */
    float[] gradient(INDArray features, INDArray labels, INDArray mask) {
        double step = 1e-4;
        float[] gradient = new float[parameters.length];
        for (int i = 0; i < gradient.length; i++) {
            double[] losses = new double[2];
            for (int side = 0; side < 2; side++) {
                DoublePrecision moved = new DoublePrecision(this);
                moved.parameters[i] += side == 0 ? -step : step;
                losses[side] = moved.loss(features, labels, mask);
            }
            gradient[i] = (float) ((losses[1] - losses[0]) / (2 * step));
        }
        return gradient;
    }
}
