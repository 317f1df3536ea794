package dl4jbridge.fused;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SoftmaxTest {
    /** Against double precision: a share of the value, for logits so small that their differences are exact. */
    @Test
    void isAsCloseAsDocumented() {
        double furthest = 0;
        Softmax softmax = new Softmax(2, 1);
        for (int i = 0; i < 200_000; i++) {
            float below = -87f * i / 200_000;
            float[] x = {below, 0};
            softmax.replace(x, 1);
            double e = StrictMath.exp(below);
            furthest = Math.max(furthest, Math.abs(x[0] / (e / (1 + e)) - 1));
            assertEquals(1 / (1 + e), x[1], 3e-7);
        }
        assertTrue(furthest <= 5e-7, "off by " + furthest);
        assertTrue(furthest > 1e-8, "nothing was compared");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5, 8, 11, 255, 256})
    void eachRowIsASoftmaxOfItsOwn(int classes) {
        Random random = new Random(classes);
        float[] logits = new float[3 * classes + 2];
        for (int i = 0; i < logits.length; i++) {
            logits[i] = (float) (2 * random.nextGaussian());
        }
        logits[classes / 2] = 50;
        logits[classes] -= 1000;
        float[] x = logits.clone();
        Softmax softmax = new Softmax(classes, 4);
        softmax.replace(x, 3);
        for (int row = 0; row < 3; row++) {
            float largest = Softmax.max(logits, row * classes, classes);
            assertEquals(largest, softmax.largest(row));
            double sum = 0;
            for (int i = row * classes; i < (row + 1) * classes; i++) {
                sum += StrictMath.exp((double) logits[i] - largest);
            }
            for (int i = row * classes; i < (row + 1) * classes; i++) {
                double expected = StrictMath.exp((double) logits[i] - largest) / sum;
                // The difference of two logits is rounded to a float of up to 50.
                assertEquals(expected, x[i], 1e-5 * expected + 2e-38, row + ", " + i);
            }
        }
        assertEquals(logits[3 * classes], x[3 * classes], "after the rows");
    }

    @Test
    void whatIsNoNumberMakesItsRowNone() {
        float[] x = {1, Float.NaN, 0, 1, 2, 3};
        new Softmax(3, 2).replace(x, 2);
        assertTrue(Float.isNaN(x[0]) && Float.isNaN(x[1]) && Float.isNaN(x[2]), Arrays.toString(x));
        assertEquals(1, x[3] + x[4] + x[5], 1e-6);
    }

    @Test
    void theLargestIsFoundWhereverItIs() {
        for (int n = 1; n < 20; n++) {
            for (int at = 0; at < n; at++) {
                float[] x = new float[n + 2];
                Arrays.fill(x, -3);
                x[1 + at] = -2;
                x[0] = 5;
                x[n + 1] = 5;
                assertEquals(-2, Softmax.max(x, 1, n), n + " numbers, the largest at " + at);
            }
        }
    }
}
