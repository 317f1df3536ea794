package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SampleProductTest {
    private static final Random RANDOM = new Random(1);

    private static float[][] random(int rows, int columns) {
        float[][] values = new float[rows][columns];
        for (float[] row : values) {
            for (int j = 0; j < columns; j++) {
                row[j] = (float) RANDOM.nextGaussian();
            }
        }
        return values;
    }

    private static float[] inOrder(float[] x, float[][] w, float[] z) {
        float[] sums = z.clone();
        for (int i = 0; i < w.length; i++) {
            for (int j = 0; j < sums.length; j++) {
                sums[j] = Math.fma(x[i], w[i][j], sums[j]);
            }
        }
        return sums;
    }

    @ParameterizedTest
    @CsvSource({"1, 1, 1", "5, 7, 2", "6, 160, 3", "11, 33, 4", "40, 100, 8"})
    void addsTheTermsInTheOrderOfTheInputsInEveryMethod(int inputs, int outputs, int samples) {
        float[][] w = random(inputs, outputs);
        float[][] x = random(samples, inputs);
        float[][] z = random(samples + 1, outputs);
        float[] untouched = z[samples].clone();
        float[][] expected = new float[samples][];
        for (int t = 0; t < samples; t++) {
            expected[t] = inOrder(x[t], w, z[t]);
            float[] alone = z[t].clone();
            SampleProduct.add(x[t], w, alone);
            assertArrayEquals(expected[t], alone);
            float[] column = new float[inputs];
            for (int i = 0; i < inputs; i++) {
                column[i] = w[i][outputs - 1];
            }
            assertEquals(expected[t][outputs - 1], SampleProduct.sum(z[t][outputs - 1], x[t], column));
        }
        SampleProduct.add(x, w, z, 0, samples);
        for (int t = 0; t < samples; t++) {
            assertArrayEquals(expected[t], z[t]);
        }
        assertArrayEquals(untouched, z[samples]);
    }
}
