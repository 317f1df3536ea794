package dl4jbridge.fused;

import java.nio.FloatBuffer;
import org.nd4j.linalg.api.ndarray.INDArray;

/**
 * Logits, softmax, cross-entropy against class indices and all gradients of it, a stretch of time after the other.
 *
 * <p>The loss clips probabilities at 1e-10 and the gradient does not, as in DL4J's LossMCXENT.
 */
public final class SoftmaxCrossEntropy {
    static final double CLIP = 1e-10;
    /** Below this, exp is nothing beside the largest term, which is 1. */
    private static final float SMALLEST = -87f;
    private static final float LOG2_E = 1.442695041f;
    /** ln 2 in two parts, the first with so few digits that multiples of it are exact. */
    private static final float LN2_HIGH = 0.693359375f;
    private static final float LN2_LOW = -2.12194440e-4f;
    /** Adding and subtracting 1.5 x 2^23 rounds a float to a whole number. */
    private static final float ROUND = 12582912f;

    private Memory logits;
    private Memory inputScratch;
    private double loss;
    private double accuracy = Double.NaN;

    /** Sum over all samples, in nats. */
    double loss() {
        return loss;
    }

    double accuracy() {
        return accuracy;
    }

    /**
     * @param x              [batch, size, steps]
     * @param classes        of (step, example) at [step * batch + example]
     * @param inputGradient  'c' array [steps, batch, size] to fill
     */
    void backward(INDArray x, int[] classes, INDArray weight, INDArray bias, INDArray weightGradient,
            INDArray biasGradient, INDArray inputGradient) {
        int batch = (int) x.size(0);
        int size = (int) x.size(1);
        int steps = (int) x.size(2);
        int outputs = (int) bias.length();
        int samples = steps * batch;
        logits = Memory.atLeast(logits, (long) samples * outputs);
        inputScratch = Sequence.scratch(x, inputScratch);
        Memory rows = Sequence.rows(x, inputScratch);
        Memory w = Memory.of(weight); // 'f' [size, outputs]: [outputs, size] row after row
        Memory inputErrors = Memory.of(inputGradient);
        float[] b = bias.reshape(-1).toFloatVector();
        int threads = Math.min(steps, Workers.threads());
        Stretch[] stretches = new Stretch[threads];
        Workers.run(threads, p -> {
            int first = Workers.border(steps, p, threads) * batch;
            int count = Workers.border(steps, p + 1, threads) * batch - first;
            long z = logits.at((long) first * outputs, (long) count * outputs);
            long in = rows.at((long) first * size, (long) count * size);
            Gemm.product(false, true, count, outputs, size, in, size, w.at(0, (long) outputs * size), size, 0f, z, outputs);
            stretches[p] = new Stretch(outputs);
            stretches[p].deltas(logits.view(), first, count, b, classes);
            Gemm.product(false, false, count, size, outputs, z, outputs, w.at(0, (long) outputs * size), size, 0f,
                    inputErrors.at((long) first * size, (long) count * size), size);
        });
        Memory weightErrors = Memory.of(weightGradient);
        int parts = Math.min(outputs, Workers.threads());
        Workers.run(parts, p -> {
            int first = Workers.border(outputs, p, parts);
            int count = Workers.border(outputs, p + 1, parts) - first;
            Gemm.product(true, false, count, size, samples,
                    logits.at(first, (long) samples * outputs - first), outputs, rows.at(0, (long) samples * size), size,
                    0f, weightErrors.at((long) first * size, (long) count * size), size);
        });
        sum(stretches, samples, biasGradient);
        rows.keep();
        w.keep();
        inputErrors.keep();
        weightErrors.keep();
    }

    private void sum(Stretch[] stretches, int samples, INDArray biasGradient) {
        float[] biasSum = new float[(int) biasGradient.length()];
        loss = 0;
        long hits = 0;
        for (Stretch stretch : stretches) {
            loss += stretch.loss;
            hits += stretch.hits;
            PointwiseMath.add(stretch.biasSum, biasSum, biasSum.length);
        }
        accuracy = (double) hits / samples;
        Memory to = Memory.of(biasGradient);
        to.view().put(biasSum);
        to.keep();
    }

    /** What one thread adds up. */
    private static final class Stretch {
        final float[] row;
        final float[] exponent;
        final float[] biasSum;
        double loss;
        long hits;

        Stretch(int outputs) {
            row = new float[outputs];
            exponent = new float[outputs];
            biasSum = new float[outputs];
        }

        /** Replaces the logits (without bias) of samples first.. by the gradients of the loss in them. */
        void deltas(FloatBuffer logits, int first, int count, float[] bias, int[] classes) {
            int n = row.length;
            for (int sample = first; sample < first + count; sample++) {
                Memory.get(logits, (long) sample * n, row, n);
                PointwiseMath.add(bias, row, n);
                float max = max(row, n);
                int wanted = classes[sample];
                float logit = row[wanted];
                float total = exponentials(row, max, exponent, n);
                if (logit == max) {
                    hits++;
                }
                loss -= Math.log(Math.max(CLIP, Math.exp(logit - max) / total));
                scale(row, 1 / total, n);
                row[wanted] -= 1;
                PointwiseMath.add(row, biasSum, n);
                Memory.put(logits, (long) sample * n, row, n);
            }
        }
    }

    /** The largest of the first n, in four strands: one would wait for each comparison. */
    public static float max(float[] x, int n) {
        float a = Float.NEGATIVE_INFINITY;
        float b = a;
        float c = a;
        float d = a;
        int i = 0;
        for (; i + 3 < n; i += 4) {
            a = x[i] > a ? x[i] : a;
            b = x[i + 1] > b ? x[i + 1] : b;
            c = x[i + 2] > c ? x[i + 2] : c;
            d = x[i + 3] > d ? x[i + 3] : d;
        }
        for (; i < n; i++) {
            a = x[i] > a ? x[i] : a;
        }
        return Math.max(Math.max(a, b), Math.max(c, d));
    }

    /**
     * x = exp(x - max), to 2e-7 of its value, and their sum. In two loops, since HotSpot makes vector instructions of
     * the polynomial but not of the way from a float to its exponent.
     */
    public static float exponentials(float[] x, float max, float[] exponent, int n) {
        for (int i = 0; i < n; i++) {
            float v = Math.max(SMALLEST, x[i] - max);
            float k = (v * LOG2_E + ROUND) - ROUND;
            float r = Math.fma(k, -LN2_LOW, Math.fma(k, -LN2_HIGH, v));
            float p = Math.fma(r, 1f / 5040, 1f / 720);
            p = Math.fma(p, r, 1f / 120);
            p = Math.fma(p, r, 1f / 24);
            p = Math.fma(p, r, 1f / 6);
            p = Math.fma(p, r, 0.5f);
            p = Math.fma(p, r, 1f);
            x[i] = Math.fma(p, r, 1f);
            exponent[i] = k;
        }
        float even = 0;
        float odd = 0;
        int i = 0;
        for (; i + 1 < n; i += 2) {
            even += x[i] *= Float.intBitsToFloat(((int) exponent[i] + 127) << 23);
            odd += x[i + 1] *= Float.intBitsToFloat(((int) exponent[i + 1] + 127) << 23);
        }
        if (i < n) {
            even += x[i] *= Float.intBitsToFloat(((int) exponent[i] + 127) << 23);
        }
        return even + odd;
    }

    private static void scale(float[] x, float factor, int n) {
        for (int i = 0; i < n; i++) {
            x[i] *= factor;
        }
    }
}
