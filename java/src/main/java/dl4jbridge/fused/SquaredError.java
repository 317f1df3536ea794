package dl4jbridge.fused;

import java.nio.FloatBuffer;
import java.util.Arrays;
import org.nd4j.linalg.api.buffer.DataType;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Squared error under a linear or a sigmoid output: DL4J's LossMSE, or weighted as the losses of amplifier models are.
 *
 * <p>With e the output minus the label and f(t) = e(t) - p e(t - 1), where e before a segment is 0, the loss is
 * {@code square} times the sum of all f^2, plus {@code offset} times the sum over recordings of (sum of e over time)^2.
 * Time steps before {@code from} have e = 0. LossMSE is {@code square} = 1 / outputs with p = {@code offset} = 0.
 */
final class SquaredError extends OutputLoss {
    /** The factors of the loss. The number of outputs, for LossMSE's mean, is not known before the first segment. */
    static final class Weights {
        static final Weights MEAN = new Weights(Double.NaN, 0, 0, 0);
        final double square;
        final double preEmphasis;
        final double offset;
        final int from;

        Weights(double square, double preEmphasis, double offset, int from) {
            this.square = square;
            this.preEmphasis = preEmphasis;
            this.offset = offset;
            this.from = from;
        }
    }

    /** Floats of a block that stays in the first-level cache. */
    private static final int CHUNK = 1024;

    private final boolean sigmoid;
    private Weights weights = Weights.MEAN;
    private Memory labelScratch;
    private Memory labels; // [steps, batch, outputs]

    SquaredError(boolean sigmoid) {
        this.sigmoid = sigmoid;
    }

    void setWeights(Weights weights) {
        if (sigmoid && (weights.preEmphasis != 0 || weights.offset != 0 || weights.from != 0)) {
            throw new IllegalArgumentException("pre-emphasis, offset and start: wanted 0 with a sigmoid output; only a linear one has them");
        }
        this.weights = weights;
    }

    @Override
    boolean read(INDArray labels) {
        if (labels.rank() != 3 || labels.dataType() != DataType.FLOAT) {
            return false;
        }
        labelScratch = Sequence.scratch(labels, labelScratch);
        this.labels = Sequence.rows(labels, labelScratch);
        return true;
    }

    @Override
    boolean dependsOnOtherSteps() {
        return weights.preEmphasis != 0 || weights.offset != 0 || weights.from != 0;
    }

    @Override
    Criterion criterion(int batch, int from, int to, int outputs) {
        return new Deltas(batch, from, to, outputs);
    }

    private final class Deltas extends Criterion {
        private final int rows;
        private final int outputs;
        private final int length; // of a step
        private Rows wanted;
        private double square;

        Deltas(int batch, int from, int to, int outputs) {
            super(batch, from, to, outputs);
            this.outputs = outputs;
            rows = to - from;
            length = rows * outputs;
        }

        @Override
        void begin() {
            super.begin();
            hits = Double.NaN; // there are no classes
            wanted = Rows.of(labels, batch, outputs, from, to);
            square = Double.isNaN(weights.square) ? 1.0 / outputs : weights.square;
        }

        @Override
        void differentiate(FloatBuffer errors, int pitch, float[] bias, int first, int count) {
            int block = dependsOnOtherSteps() ? count : Math.min(count, Math.max(1, CHUNK / length));
            float[] tiledBias = new float[block * length];
            for (int i = 0; i < tiledBias.length; i++) {
                tiledBias[i] = bias[i % bias.length];
            }
            float[] z = new float[tiledBias.length];
            float[] y = new float[tiledBias.length];
            float[] sum = new float[tiledBias.length];
            for (int t = 0; t < count; t += block) {
                int n = Math.min(block, count - t) * length;
                int samples = n / outputs;
                Memory.getRows(errors, (long) t * rows * pitch, pitch, z, 0, samples, outputs);
                for (int i = 0; i < n / length; i++) {
                    wanted.get(first + t + i, y, i * length);
                }
                PointwiseMath.add(tiledBias, z, n);
                if (dependsOnOtherSteps()) {
                    loss += weighted(z, y, n, length, square);
                } else {
                    loss += square * (sigmoid ? throughSigmoid(z, y, (float) square, n)
                            : linear(z, y, (float) square, n));
                }
                PointwiseMath.add(z, sum, n);
                Memory.putRows(errors, (long) t * rows * pitch, pitch, z, samples, outputs);
            }
            for (int i = 0; i < sum.length; i++) {
                biasSum[i % bias.length] += sum[i];
            }
        }

        /** Replaces the output z by the gradient of the loss there; returns the loss. Time steps are {@code next} floats apart. */
        private double weighted(float[] z, float[] y, int size, int next, double square) {
            float p = (float) weights.preEmphasis;
            float[] filtered = new float[size];
            double[] offsets = new double[next];
            int start = Math.min(weights.from * next, size);
            Arrays.fill(z, 0, start, 0);
            Arrays.fill(y, 0, start, 0);
            for (int i = start; i < size; i++) {
                float e = z[i] - y[i];
                z[i] = e;
                filtered[i] = i < next ? e : e - p * (y[i - next]);
                y[i] = e;
                offsets[i % next] += e;
            }
            double total = 0;
            for (int i = start; i < size; i++) {
                float later = i + next < size ? filtered[i + next] : 0;
                total += square * filtered[i] * filtered[i];
                z[i] = (float) (2 * square * (filtered[i] - p * later) + 2 * weights.offset * offsets[i % next]);
            }
            for (double offset : offsets) {
                total += weights.offset * offset * offset;
            }
            return total;
        }
    }

    /** z = 2 square (z - y); returns the sum of (z - y)^2. */
    static double linear(float[] z, float[] y, float square, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            float e = z[i] - y[i];
            sum += (double) e * e;
            z[i] = 2 * square * e;
        }
        return sum;
    }

    /** The same with the sigmoid of z in place of z, and its slope. */
    static double throughSigmoid(float[] z, float[] y, float square, int n) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            float a = 0.5f + 0.5f * PointwiseMath.rationalTanh(0.5f * z[i]);
            float e = a - y[i];
            sum += (double) e * e;
            z[i] = 2 * square * e * a * (1 - a);
        }
        return sum;
    }
}
